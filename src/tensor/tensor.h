// Tensor: a view of elements in memory. It owns nothing and never allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "base/check.h"
#include "tensor/dtype.h"

namespace fathom {

inline constexpr int kMaxRank = 5;

// The sizes of up to kMaxRank axes, outermost first. Sizes fit: whoever makes a Shape from a file
// has checked the product (checkpoint/safetensors.cc).
struct Shape {
  int rank = 0;
  std::array<int64_t, kMaxRank> dims{};

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) {
    FATHOM_CHECK(sizes.size() <= kMaxRank);
    for (const int64_t size : sizes) dims[rank++] = size;
  }
  int64_t operator[](int axis) const { return dims[axis < 0 ? rank + axis : axis]; }
  int64_t& operator[](int axis) { return dims[axis < 0 ? rank + axis : axis]; }
  int64_t elements() const {
    int64_t product = 1;
    for (int i = 0; i < rank; ++i) product *= dims[i];
    return product;
  }
  std::string ToString() const;  // "[2, 3]"
  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank != b.rank) return false;
    for (int i = 0; i < a.rank; ++i)
      if (a.dims[i] != b.dims[i]) return false;
    return true;
  }
};

struct Tensor {
  DType dtype = DType::kF32;
  Shape shape;
  std::array<int64_t, kMaxRank> strides{};  // in elements; the innermost axis is always 1
  void* data = nullptr;

  static Tensor Dense(DType dtype, Shape shape, void* data) {
    Tensor tensor{dtype, shape, {}, data};
    int64_t stride = 1;
    for (int i = shape.rank - 1; i >= 0; --i) {
      tensor.strides[i] = stride;
      stride *= shape.dims[i];
    }
    return tensor;
  }

  bool present() const { return data != nullptr; }
  // Row `i` of the outermost axis.
  template <typename T>
  T* row(int64_t i) const {
    return static_cast<T*>(data) + i * strides[0];
  }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

}  // namespace fathom
