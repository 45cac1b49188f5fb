#include "engine/weight_cache.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "engine/weight_cache_file.h"
#include "engine/weight_cache_folder.h"

namespace fathom {
namespace {

void Tell(NoticeSink* notices, std::string text) {
  if (notices != nullptr) notices->Info(std::move(text));
}

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace

WeightCache::WeightCache(const WeightLoadInput& input, WeightCacheSettings settings)
    : input_(input), settings_(std::move(settings)) {
  if (settings_.folder.empty() || !input.backend.AdoptsWeights()) return;
  if (static_cast<int64_t>(input.checkpoint.total_bytes()) < settings_.smallest_bytes) return;
  layout_ = LayOutWeightCache(input.checkpoint, input.graph, input.plans, input.located,
                              input.dtype, settings_.dtype, input.backend.info().name);
  size_t next = 0;
  for (size_t i = 0; i < input.graph.weights.size() && applies(); ++i) {
    const bool kept =
        next < layout_.weights.size() && layout_.weights[next].index == static_cast<int>(i);
    if (kept) {
      ++next;
    } else {
      others_.push_back(i);
    }
  }
}

std::string WeightCache::path() const { return settings_.folder + "/" + layout_.file_name; }

std::optional<WeightCache::Loaded> WeightCache::Open() {
  if (!applies() || !Exists(path())) return std::nullopt;
  auto opened = WeightCacheFile::Open(path(), layout_);
  Status status = opened.ok() ? Status::Ok() : opened.status();
  if (status.ok()) {
    if (WeightCacheFolder::WasChecked(opened->file())) {
      opened->Map(settings_.threads);
    } else {
      status = opened->Check(settings_.threads);
      if (status.ok()) WeightCacheFolder::RememberChecked(opened->file());
    }
  }
  if (!status.ok()) {
    Tell(input_.notices,
         fmt::format("the packed weights that were kept cannot be used and are made anew: {}",
                     status.message()));
    return std::nullopt;
  }
  WeightLoader loader(input_);
  for (size_t i = 0; i < layout_.weights.size(); ++i) {
    const int index = layout_.weights[i].index;
    input_.backend.Adopt(loader.store(), index, opened->At(i));
    if (!opened->finite(i)) loader.WarnNotFinite(static_cast<size_t>(index));
  }
  for (const size_t i : others_) {
    const auto finite = loader.LoadOne(i, !opened->others_finite());
    if (!finite.ok()) return std::nullopt;
    if (!*finite) loader.WarnNotFinite(i);
  }
  WeightCacheFolder::RememberUsed(path());
  return Loaded{loader.TakeStore(), std::move(*opened).TakeFile(), false};
}

Result<std::optional<WeightCache::Loaded>> WeightCache::Make() {
  if (!applies() || settings_.limit_bytes == 0) return std::optional<Loaded>();
  const auto give_up = [&](const Status& status) {
    Tell(input_.notices,
         fmt::format("the packed weights are not kept for the next start: {}", status.message()));
    return std::optional<Loaded>();
  };
  const WeightCacheFolder folder(settings_.folder, settings_.limit_bytes);
  const Status room = folder.MakeRoom(layout_.file_name, layout_.file_bytes);
  if (!room.ok()) return give_up(room);
  auto writer = WeightCacheWriter::Create(path(), layout_);
  if (!writer.ok()) return give_up(writer.status());
  WeightLoader loader(input_);
  bool others_finite = true;
  for (const size_t i : others_) {
    FATHOM_ASSIGN(const bool finite, loader.LoadOne(i, true));
    if (!finite) loader.WarnNotFinite(i);
    others_finite = others_finite && finite;
  }
  for (size_t i = 0; i < layout_.weights.size(); ++i) {
    const int index = layout_.weights[i].index;
    FATHOM_ASSIGN(const bool finite, loader.LoadOne(static_cast<size_t>(index), true));
    if (!finite) loader.WarnNotFinite(static_cast<size_t>(index));
    const auto put = (*writer)->Put(i, loader.store().Get(index), finite);
    if (!put.ok()) return give_up(put.status());
    input_.backend.Adopt(loader.store(), index, *put);
  }
  auto file = (*writer)->Finish(others_finite);
  if (!file.ok()) return give_up(file.status());
  return std::optional<Loaded>(Loaded{loader.TakeStore(), *std::move(file), true});
}

}  // namespace fathom
