// The filters and tests of jinja2 3.1, with transformers' tojson. One table each; a filter is a
// row.
#pragma once

#include "text/template/value.h"

namespace fathom::jinja {

struct FilterEntry {
  std::string_view name;
  // Of a test: the value is read as a truth.
  Value (*apply)(Interpreter&, const Value& input, Arguments& arguments);
};

const FilterEntry* FindFilter(TextView name);
const FilterEntry* FindTest(TextView name);

// Rows of the tables, file by file.
struct FilterTable {
  const FilterEntry* entries;
  size_t count;
};
FilterTable TextFilters();
FilterTable HtmlFilters();
FilterTable SequenceFilters();
FilterTable SelectFilters();
FilterTable NumberFilters();

// jinja2's make_attrgetter: "a.b.0" or an integer, looked up as items first.
class AttributeGetter {
 public:
  explicit AttributeGetter(const Value& attribute);
  Value Get(Interpreter& interpreter, Value item) const;
  Value fallback = Value::Missing();  // for an undefined step
  bool ignore_case = false;           // strings are lowered at the end

 private:
  Values parts_;
};

}  // namespace fathom::jinja
