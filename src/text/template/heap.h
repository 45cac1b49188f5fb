// The objects of one rendering and its budget.
//
// Every string, list or scope that a template makes is an Object, counted by reference and charged
// to the Heap of the thread's rendering: a template that asks for more than its budget of memory,
// steps or depth ends with an error before the memory is taken. What can point back at itself (a
// namespace, a scope) is a CyclicObject: the Heap empties the ones that are left when the rendering
// ends. Objects die one after the other, never one inside the other, so that a chain of a million
// of them needs no stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace fathom::jinja {

struct Budget {
  uint64_t max_steps = 5'000'000;
  size_t max_bytes = size_t{24} << 20;
  int max_depth = 2000;  // nested evaluations; what bounds first is the stack that they take
  int max_calls = 200;   // nested macro calls and recursive loops
};

template <typename T>
class Ref;
class Object;
template <typename T, typename... Args>
Ref<T> New(Args&&... args);

class Object {
 public:
  Object() = default;
  virtual ~Object();
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  void Acquire() { ++references_; }
  void Release() noexcept {
    if (--references_ == 0) Dispose(this);
  }

 private:
  template <typename T, typename... Args>
  friend Ref<T> New(Args&&... args);
  static void Charge(size_t bytes);
  static void Dispose(Object* object) noexcept;

  uint32_t references_ = 0;
  uint32_t charged_ = 0;  // its own size
  Object* next_dead_ = nullptr;
};

class CyclicObject : public Object {
 public:
  CyclicObject();
  ~CyclicObject() override;
  // Drops every reference that this object holds.
  virtual void Clear() = 0;

 private:
  friend class Heap;
  CyclicObject* previous_ = nullptr;
  CyclicObject* next_ = nullptr;
};

template <typename T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) {
    if (object_) object_->Acquire();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  template <typename Derived>
  Ref(const Ref<Derived>& other) : Ref(other.get()) {}  // NOLINT: as a pointer converts
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_) object_->Release();
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

template <typename T, typename... Args>
Ref<T> New(Args&&... args) {
  Object::Charge(sizeof(T));
  Ref<T> object(new T(std::forward<Args>(args)...));
  object->Object::charged_ = sizeof(T);
  return object;
}

// The thread's rendering. Made at its start, after which Current() is it; destroyed last.
class Heap {
 public:
  explicit Heap(const Budget& budget);
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  static Heap& Current() { return *current_; }

  // One unit is about one visited node of the template, or 16 code points that were moved.
  void Step(uint64_t count = 1) {
    steps_ += count;
    if (steps_ > budget_.max_steps) OutOfSteps();
  }
  void StepText(size_t code_points) { Step(1 + code_points / 16); }
  // Before memory is taken; Discharge when it is given back.
  void Charge(size_t bytes) {
    if (bytes > budget_.max_bytes - bytes_) OutOfMemory();
    bytes_ += bytes;
  }
  void Discharge(size_t bytes) noexcept { bytes_ -= bytes; }

  // Enters one nested evaluation for the lifetime of the scope.
  class DepthScope {
   public:
    DepthScope() {
      Heap& heap = Current();
      if (++heap.depth_ > heap.budget_.max_depth || heap.StackUsed() > kMaxStackBytes) TooDeep();
    }
    ~DepthScope() { --Current().depth_; }
    DepthScope(const DepthScope&) = delete;
  };
  class CallScope {
   public:
    CallScope() {
      if (++Current().calls_ > Current().budget_.max_calls) TooManyCalls();
    }
    ~CallScope() { --Current().calls_; }
    CallScope(const CallScope&) = delete;
  };

 private:
  friend class CyclicObject;
  // A sanitizer's frames are several times as large.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr size_t kMaxStackBytes = size_t{4} << 20;
#else
  static constexpr size_t kMaxStackBytes = size_t{1} << 20;
#endif

  size_t StackUsed() const {
    const char* here = static_cast<const char*>(__builtin_frame_address(0));
    return here < stack_base_ ? stack_base_ - here : here - stack_base_;
  }
  [[noreturn]] void OutOfSteps() const;
  [[noreturn]] void OutOfMemory() const;
  [[noreturn]] static void TooDeep();
  [[noreturn]] static void TooManyCalls();

  static thread_local Heap* current_;

  Budget budget_;
  Heap* outer_;
  const char* stack_base_ = static_cast<const char*>(__builtin_frame_address(0));
  uint64_t steps_ = 0;
  size_t bytes_ = 0;
  int depth_ = 0;
  int calls_ = 0;
  CyclicObject* cyclic_ = nullptr;
};

// Bytes charged to the rendering for as long as this lives.
class Charged {
 public:
  Charged() = default;
  explicit Charged(size_t bytes) { Add(bytes); }
  Charged(Charged&& other) noexcept : bytes_(std::exchange(other.bytes_, 0)) {}
  Charged& operator=(Charged&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charged() {
    if (bytes_ != 0) Heap::Current().Discharge(bytes_);
  }
  void Add(size_t bytes) {
    Heap::Current().Charge(bytes);
    bytes_ += bytes;
  }

 private:
  size_t bytes_ = 0;
};

}  // namespace fathom::jinja
