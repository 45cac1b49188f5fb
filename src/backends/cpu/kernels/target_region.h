// FATHOM_BEGIN_TARGET("avx512f,...") ... FATHOM_END_TARGET: the functions between are compiled for
// these instruction sets. For kernel files with intrinsics: put it behind all includes, so that no
// shared inline function is compiled for more than the plain CPU.
#pragma once

#if defined(__clang__)
#define FATHOM_PRAGMA(text) _Pragma(#text)
#define FATHOM_BEGIN_TARGET(sets) \
  FATHOM_PRAGMA(clang attribute push(__attribute__((target(sets))), apply_to = function))
#define FATHOM_END_TARGET FATHOM_PRAGMA(clang attribute pop)
#else
#define FATHOM_PRAGMA(text) _Pragma(#text)
#define FATHOM_BEGIN_TARGET(sets) FATHOM_PRAGMA(GCC push_options) FATHOM_PRAGMA(GCC target(sets))
#define FATHOM_END_TARGET FATHOM_PRAGMA(GCC pop_options)
#endif
