// torch.set_float32_matmul_precision and the switches of older and newer releases for the same.
#include <algorithm>

#include "audit/rules/row.h"

namespace fathom {
namespace {

Effect PrecisionEffect(const ScriptValue& value) {
  if (!value.Is(ScriptValue::Kind::kString)) return Effect::kUnknown;
  if (value.text == "high" || value.text == "medium") return Effect::kOn;
  return value.text == "highest" ? Effect::kOff : Effect::kUnknown;
}

// backend.fp32_precision, torch 2.9's spelling.
Effect BackendPrecision(const ScriptValue& value) {
  if (!value.Is(ScriptValue::Kind::kString)) return Effect::kUnknown;
  if (value.text == "tf32" || value.text == "bf16") return Effect::kOn;
  return value.text == "ieee" ? Effect::kOff : Effect::kNone;
}

SiteFinder::IsObject Object(std::initializer_list<std::string_view> endings) {
  const std::vector<std::string_view> wanted(endings);
  return [wanted](const std::vector<std::string>& paths, std::string_view) {
    return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
      return std::any_of(wanted.begin(), wanted.end(), [&](std::string_view ending) {
        return path == ending || path.ends_with("." + std::string(ending));
      });
    });
  };
}

void Find(SiteFinder& finder, Sites* sites) {
  for (const KnownCall& call : finder.calls()) {
    if (call.own ||
        !call.IsAny({"torch.set_float32_matmul_precision", ".set_float32_matmul_precision",
                     "set_float32_matmul_precision"})) {
      continue;
    }
    const Alternatives values = finder.evaluator().Argument(*call.call, "precision", 0);
    for (const Alternative& value : values) {
      Site site = finder.CallSiteOf(*call.call, PrecisionEffect(value.value),
                                    ValueText(value.value, value.origin));
      site.guards.insert(site.guards.end(), value.guards.begin(), value.guards.end());
      site.option = value.option;
      site.variant = value.value.text == "medium" ? "medium" : "high";
      site.slot = "float32_matmul_precision";
      sites->push_back(std::move(site));
    }
  }
  // All of these write what the first one writes: the last one holds.
  const size_t matmul = sites->size();
  finder.AddWrites("allow_tf32", Object({"cuda.matmul", "backends.cuda.matmul"}), BoolEffect, sites,
                   "tf32");
  finder.AddWrites("fp32_precision", Object({"cuda.matmul", "torch.backends"}), BackendPrecision,
                   sites, "tf32");
  for (size_t i = matmul; i < sites->size(); ++i) (*sites)[i].slot = "float32_matmul_precision";
  finder.AddWrites("fp32_precision", Object({"mkldnn.matmul", "mkldnn"}), BackendPrecision, sites,
                   "medium");
  const size_t first = sites->size();
  finder.AddWrites("allow_tf32", Object({"cudnn"}), BoolEffect, sites, "cudnn_tf32");
  finder.AddWrites("fp32_precision", Object({"backends.cudnn", "cudnn.conv", "cudnn.rnn"}),
                   BackendPrecision, sites, "cudnn_tf32");
  for (size_t i = first; i < sites->size(); ++i) {
    (*sites)[i].rank = 1;
    (*sites)[i].aside = true;
  }
}

}  // namespace

const Row& row_04_float32_matmul_precision() {
  static const Row row = {
      4,   "float32_matmul_precision", "torch.set_float32_matmul_precision", "FTH004", "medium",
      Find};
  return row;
}

}  // namespace fathom
