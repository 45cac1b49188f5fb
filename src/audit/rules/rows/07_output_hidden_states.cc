// output_hidden_states: False is the optimization, True asks for what costs memory.
#include "audit/rules/row.h"

namespace fathom {
namespace {

void Find(SiteFinder& finder, Sites* sites) { finder.AddReturned("output_hidden_states", sites); }

}  // namespace

const Row& row_07_output_hidden_states() {
  static const Row row = {7, "output_hidden_states", "output_hidden_states", "FTH007", "", Find};
  return row;
}

}  // namespace fathom
