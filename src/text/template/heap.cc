#include "text/template/heap.h"

#include <vector>

#include "text/template/error.h"

namespace fathom::jinja {

thread_local Heap* Heap::current_ = nullptr;

Object::~Object() { Heap::Current().Discharge(charged_); }

void Object::Charge(size_t bytes) { Heap::Current().Charge(bytes); }

void Object::Dispose(Object* object) noexcept {
  // The first dead object deletes all that die while it does.
  static thread_local Object* dead = nullptr;
  static thread_local bool busy = false;
  object->next_dead_ = dead;
  dead = object;
  if (busy) return;
  busy = true;
  while (dead != nullptr) {
    Object* next = dead;
    dead = next->next_dead_;
    delete next;
  }
  busy = false;
}

CyclicObject::CyclicObject() {
  Heap& heap = Heap::Current();
  next_ = heap.cyclic_;
  if (next_ != nullptr) next_->previous_ = this;
  heap.cyclic_ = this;
}

CyclicObject::~CyclicObject() {
  if (previous_ != nullptr) {
    previous_->next_ = next_;
  } else {
    Heap::Current().cyclic_ = next_;
  }
  if (next_ != nullptr) next_->previous_ = previous_;
}

Heap::Heap(const Budget& budget) : budget_(budget), outer_(current_) { current_ = this; }

Heap::~Heap() {
  // Held while they are emptied, so that none dies before its turn.
  std::vector<Ref<CyclicObject>> left;
  for (CyclicObject* object = cyclic_; object != nullptr; object = object->next_) {
    left.emplace_back(object);
  }
  for (const Ref<CyclicObject>& object : left) object->Clear();
  left.clear();
  current_ = outer_;
}

void Heap::OutOfSteps() const {
  Raise(ErrorKind::kBudget, "the template needs more than its budget of {} steps",
        budget_.max_steps);
}

void Heap::OutOfMemory() const {
  Raise(ErrorKind::kBudget, "the template needs more than its budget of {} MiB of memory",
        budget_.max_bytes >> 20);
}

void Heap::TooDeep() { Raise(ErrorKind::kBudget, "the template nests its evaluations too deeply"); }

void Heap::TooManyCalls() {
  Raise(ErrorKind::kBudget, "the template nests its macro calls or recursive loops too deeply");
}

}  // namespace fathom::jinja
