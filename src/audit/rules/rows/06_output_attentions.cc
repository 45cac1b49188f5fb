// output_attentions: False is the optimization, True asks for what costs memory.
#include "audit/rules/row.h"

namespace fathom {
namespace {

void Find(SiteFinder& finder, Sites* sites) { finder.AddReturned("output_attentions", sites); }

}  // namespace

const Row& row_06_output_attentions() {
  static const Row row = {6, "output_attentions", "output_attentions", "FTH006", "", Find};
  return row;
}

}  // namespace fathom
