#include "optimizations/placement.h"

#include <algorithm>
#include <deque>
#include <set>

#include "base/check.h"

namespace fathom {
namespace {

struct Module {
  std::string name;
  int64_t bytes = 0;
  bool is_tensor = false;
  bool whole = false;
  std::vector<Module*> children;  // modules alone, in order
  std::vector<Module*> tensors;   // own parameters
};

bool IsInside(std::string_view name, std::string_view module) {
  return name == module ||
         (name.size() > module.size() && name.starts_with(module) && name[module.size()] == '.');
}

bool IsGpu(std::string_view device) {
  return !device.empty() && device[0] >= '0' && device[0] <= '9';
}

// The modules that the names of the tensors imply.
class ModuleTree {
 public:
  explicit ModuleTree(const PlacementModel& model) {
    root_ = &Add("", false);
    for (const PlacementTensor& tensor : model.tensors) Insert(tensor);
    for (const std::string& name : model.whole) {
      if (Module* module = Find(name)) module->whole = true;
    }
  }

  const Module& root() const { return *root_; }
  Module* Find(std::string_view name) {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }
  const std::deque<Module>& modules() const { return modules_; }

 private:
  Module& Add(std::string name, bool is_tensor) {
    Module& module = modules_.emplace_back();
    module.name = std::move(name);
    module.is_tensor = is_tensor;
    by_name_[module.name] = &module;
    return module;
  }

  void Insert(const PlacementTensor& tensor) {
    Module* parent = root_;
    parent->bytes += tensor.bytes;
    for (size_t dot = tensor.name.find('.'); dot != std::string::npos;
         dot = tensor.name.find('.', dot + 1)) {
      const std::string name = tensor.name.substr(0, dot);
      Module* module = Find(name);
      if (module == nullptr) {
        module = &Add(name, false);
        parent->children.push_back(module);
      }
      module->bytes += tensor.bytes;
      parent = module;
    }
    Module& leaf = Add(tensor.name, true);
    leaf.bytes = tensor.bytes;
    parent->tensors.push_back(&leaf);
  }

  std::deque<Module> modules_;  // in order; addresses stay
  std::map<std::string, Module*, std::less<>> by_name_;
  Module* root_ = nullptr;
};

// The largest of the modules that stay in one piece, with the names of all of that size.
struct LargestLayer {
  int64_t bytes = 0;
  std::set<std::string> names;

  void Look(const Module& module) {
    if (!module.children.empty() && !module.whole) {
      for (const Module* child : module.children) Look(*child);
      return;
    }
    if (module.bytes > bytes) {
      bytes = module.bytes;
      names = {module.name};
    } else if (module.bytes == bytes) {
      names.insert(module.name);
    }
  }
  static LargestLayer Of(const std::deque<const Module*>& modules) {
    LargestLayer largest;
    for (const Module* module : modules) {
      if (!module->is_tensor) largest.Look(*module);
    }
    return largest;
  }
};

class Placer {
 public:
  Placer(const PlacementModel& model, const std::vector<DeviceBudget>& budgets)
      : model_(model), tree_(model), budgets_(budgets) {
    std::string_view first_gpu;
    for (const DeviceBudget& budget : budgets_) {
      if (IsGpu(budget.device) && first_gpu.empty()) first_gpu = budget.device;
      if (budget.device == "mps") mps_ = true;
    }
    first_gpu_ = first_gpu;
    const bool disk = std::any_of(budgets_.begin(), budgets_.end(),
                                  [](const DeviceBudget& b) { return b.device == "disk"; });
    if (!disk) budgets_.push_back({"disk", 0});
    // The map's own tensors are no layers of the model: they stand first.
    for (const Module* module : tree_.root().tensors) waiting_.push_back(module);
    for (const Module* module : tree_.root().children) waiting_.push_back(module);
    largest_ = LargestLayer::Of(waiting_);
  }

  DeviceMap Run() {
    while (!waiting_.empty()) {
      const Module& module = *waiting_.front();
      waiting_.pop_front();
      std::erase_if(largest_.names,
                    [&](const std::string& name) { return IsInside(name, module.name); });
      // What was taken out is not looked at, even where it comes back in pieces.
      if (largest_.names.empty()) largest_ = LargestLayer::Of(waiting_);
      if (Fits(module)) {
        Place(module);
      } else if (!module.children.empty() && !module.whole) {
        Split(module);
      } else {
        used_ += reserved();
        waiting_.push_front(&module);
        used_ = 0;
        ++current_;
      }
    }
    Merge("");
    return std::move(map_);
  }

 private:
  const std::string& device() const { return budgets_[current_].device; }
  // Room for the largest layer where offloaded layers are brought to.
  int64_t reserved() const {
    const bool main = mps_ ? device() == "mps" : device() == "cpu" || device() == first_gpu_;
    return main ? largest_.bytes : 0;
  }

  bool Fits(const Module& module) const {
    if (device() == "disk") return true;
    return used_ + module.bytes <= budgets_[current_].bytes - reserved();
  }

  // The module, and with it the leaves that are tied to a tensor inside.
  void Place(const Module& module) {
    used_ += module.bytes;
    map_[module.name] = device();
    for (const auto& group : model_.tied) {
      const auto inside = [&](const std::string& name) { return IsInside(name, module.name); };
      if (std::none_of(group.begin(), group.end(), inside)) continue;
      for (const std::string& name : group) {
        const auto holds = [&](const Module* other) { return IsInside(name, other->name); };
        const auto found = std::find_if(waiting_.begin(), waiting_.end(), holds);
        if (inside(name) || found == waiting_.end()) continue;
        map_[(*found)->name] = device();
        waiting_.erase(found);
      }
    }
  }

  void Split(const Module& module) {
    for (auto child = module.children.rbegin(); child != module.children.rend(); ++child) {
      waiting_.push_front(*child);
    }
    for (auto own = module.tensors.rbegin(); own != module.tensors.rend(); ++own) {
      waiting_.push_front(*own);
    }
    largest_ = LargestLayer::Of(waiting_);
  }

  // One entry for a module whose parts all lie on one device.
  void Merge(const std::string& module) {
    const std::string prefix = module.empty() ? "" : module + ".";
    std::set<std::string> devices, children;
    size_t count = 0;
    for (const auto& [name, device] : map_) {
      if (!name.starts_with(prefix)) continue;
      devices.insert(device);
      ++count;
    }
    if (devices.size() == 1 && count > 1) {
      std::erase_if(map_, [&](const auto& entry) { return entry.first.starts_with(prefix); });
      map_[module] = *devices.begin();
      return;
    }
    for (const auto& [name, device] : map_) {
      if (!name.starts_with(prefix) || name.size() <= module.size()) continue;
      children.insert(name.substr(0, name.find('.', prefix.size())));
    }
    for (const std::string& child : children) Merge(child);
  }

  const PlacementModel& model_;
  ModuleTree tree_;
  std::vector<DeviceBudget> budgets_;
  std::string first_gpu_;
  bool mps_ = false;
  std::deque<const Module*> waiting_;
  LargestLayer largest_;
  size_t current_ = 0;
  int64_t used_ = 0;  // of the current device
  DeviceMap map_;
};

// Mean size of the modules that hold tensors and no module.
int64_t MeanLeafBytes(const ModuleTree& tree) {
  int64_t sum = 0, count = 0;
  for (const Module& module : tree.modules()) {
    const bool holds = std::any_of(module.tensors.begin(), module.tensors.end(),
                                   [](const Module* tensor) { return tensor->bytes > 0; });
    if (module.is_tensor || module.name.empty() || !module.children.empty() || !holds) continue;
    sum += module.bytes;
    ++count;
  }
  return static_cast<int64_t>(static_cast<double>(sum) /
                              static_cast<double>(std::max<int64_t>(count, 1)));
}

}  // namespace

std::vector<DeviceBudget> BalancedBudgets(const PlacementModel& model,
                                          std::vector<DeviceBudget> budgets, bool low_zero) {
  std::vector<DeviceBudget*> gpus;
  for (DeviceBudget& budget : budgets) {
    if (IsGpu(budget.device) && budget.bytes > 0) gpus.push_back(&budget);
  }
  const auto count = static_cast<int64_t>(gpus.size());
  if (count == 0) return budgets;
  low_zero = low_zero && count > 1;
  ModuleTree tree(model);
  const int64_t total = tree.root().bytes;
  int64_t buffer = MeanLeafBytes(tree);
  for (const std::string& name : model.whole) {
    // Layers of one class are as large as their first.
    const Module* module = tree.Find(name);
    if (module == nullptr) continue;
    buffer = std::max(buffer, module->bytes);
    break;
  }
  // Each GPU holds a little less than its share: a quarter more than a layer makes up for it.
  const int64_t share = total / (low_zero ? count - 1 : count) +
                        static_cast<int64_t>(1.25 * static_cast<double>(buffer));
  for (DeviceBudget* gpu : gpus) {
    if (gpu == gpus.back()) break;
    const bool spared = low_zero && gpu->device == "0";
    if (!spared) gpu->bytes = std::min(share, gpu->bytes);
  }
  if (low_zero) {
    int64_t others = 0;
    DeviceBudget* zero = nullptr;
    for (DeviceBudget& budget : budgets) {
      if (budget.device == "0") zero = &budget;
      if (IsGpu(budget.device) && budget.device != "0" && std::stoll(budget.device) < count) {
        others += budget.bytes;
      }
    }
    if (zero != nullptr) zero->bytes = std::min(std::max<int64_t>(0, total - others), zero->bytes);
  }
  return budgets;
}

DeviceMap InferDeviceMap(const PlacementModel& model, const std::vector<DeviceBudget>& budgets) {
  return Placer(model, budgets).Run();
}

std::string_view DeviceOf(const DeviceMap& map, std::string_view tensor) {
  std::string_view device;
  size_t longest = 0;
  for (const auto& [module, where] : map) {
    if (!module.empty() && !IsInside(tensor, module)) continue;
    if (!device.empty() && module.size() < longest) continue;
    longest = module.size();
    device = where;
  }
  return device;
}

}  // namespace fathom
