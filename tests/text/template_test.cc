// The interpreter of chat templates: its budget, its trusted spans, its names; and the files of a
// model folder. What it renders is compared with Jinja's own in template_golden_test.cc.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "text/chat_template.h"
#include "text/template/template.h"

namespace fathom {
namespace {

using jinja::Template;
using jinja::Variable;

struct Outcome {
  StatusCode code = StatusCode::kOk;
  std::string text;  // or the message
  std::vector<TextSpan> trusted;
};

Outcome RenderOnce(std::string_view source, const JsonValue& variables = JsonValue(JsonObject())) {
  auto parsed = Template::Parse(source, "test");
  if (!parsed.ok()) return {parsed.status().code(), parsed.status().message(), {}};
  std::vector<Variable> given;
  for (const auto& [name, value] : variables.as_object()) given.push_back({name, &value});
  auto rendered = parsed->Render(given);
  if (!rendered.ok()) return {rendered.status().code(), rendered.status().message(), {}};
  return {StatusCode::kOk, rendered->text, rendered->trusted};
}

// The rendered text with what is untrusted between « and ».
std::string Marked(std::string_view source, const JsonValue& variables) {
  const Outcome outcome = RenderOnce(source, variables);
  EXPECT_EQ(outcome.code, StatusCode::kOk) << outcome.text;
  std::string out;
  size_t at = 0;
  const auto untrusted = [&](size_t end) {
    if (end > at) out += "«" + outcome.text.substr(at, end - at) + "»";
  };
  for (const TextSpan& span : outcome.trusted) {
    untrusted(span.begin);
    out += outcome.text.substr(span.begin, span.end - span.begin);
    at = span.end;
  }
  untrusted(outcome.text.size());
  return out;
}

JsonValue Json(std::string_view text) {
  auto value = ParseJson(text, "test");
  EXPECT_TRUE(value.ok()) << value.status().message();
  return *value;
}

std::string Repeat(std::string_view text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST(TemplateTrust, FollowsTextThroughOperations) {
  const JsonValue v = Json(R"({"x": "a<e>b", "l": ["p", "q"], "d": {"k": "v"}, "n": 5})");
  EXPECT_EQ(Marked("<s>{{ x }}</s>", v), "<s>«a<e>b»</s>");
  EXPECT_EQ(Marked("{{ '<s>' + x + '</s>' }}", v), "<s>«a<e>b»</s>");
  EXPECT_EQ(Marked("{{ '<s>' ~ x ~ n }}", v), "<s>«a<e>b»5");
  EXPECT_EQ(Marked("{{ ('<s>' + x + '</s>')[1:6] }}", v), "s>«a<e»");
  EXPECT_EQ(Marked("{{ ('<s>' + x)[::-1] }}", v), "«b>e<a»>s<");
  EXPECT_EQ(Marked("{{ ('  ' + x + '  ')|trim }}", v), "«a<e>b»");
  EXPECT_EQ(Marked("{{ x.replace('<e>', '<f>') }}", v), "«a»<f>«b»");
  EXPECT_EQ(Marked("{{ 'a-b'|replace('-', x) }}", v), "a«a<e>b»b");
  EXPECT_EQ(Marked("{{ ('<S>' + x)|lower }}", v), "<s>«a<e>b»");
  EXPECT_EQ(Marked("{{ l|join('<|>') }}", v), "«p»<|>«q»");
  EXPECT_EQ(Marked("{{ (x ~ '<|>' ~ x).split('<|>')|join('+') }}", v), "«a<e>b»+«a<e>b»");
  EXPECT_EQ(Marked("{{ '<%s>' % x }}{{ '<{}>'.format(x) }}", v), "<«a<e>b»><«a<e>b»>");
  EXPECT_EQ(Marked("{{ (x ~ '\n<z>')|indent(1) }}", v), "«a<e>b»\n <z>");
  EXPECT_EQ(Marked("{% set y %}<{{ x }}>{% endset %}{{ y * 2 }}", v), "<«a<e>b»><«a<e>b»>");
  EXPECT_EQ(Marked("{% macro m(t) %}[{{ t }}]{% endmacro %}{{ m(x) }}{{ m('<c>') }}", v),
            "[«a<e>b»][<c>]");
  EXPECT_EQ(Marked("{% filter upper %}<s>{{ x }}{% endfilter %}", v), "<S>«A<E>B»");
  EXPECT_EQ(Marked("{% for c in '<' ~ x[:2] %}{{ c }}{% endfor %}", v), "<«a<»");
  EXPECT_EQ(Marked("{{ [x, '<s>'] }}", v), "['«a<e>b»', '<s>']");
  EXPECT_EQ(Marked("{% for k in d %}{{ k }}:{{ d[k] }}{% endfor %}", v), "«k»:«v»");
  EXPECT_EQ(Marked("{% set ns = namespace(t='<s>') %}{% set ns.t = ns.t ~ x %}{{ ns.t }}", v),
            "<s>«a<e>b»");
  EXPECT_EQ(Marked("{{ x.center(9, '*') }}", v), "**«a<e>b»**");
  EXPECT_EQ(Marked("{{ '<b>'|e }}{{ x|e }}", v), "&lt;b&gt;«a&lt;e&gt;b»");
  EXPECT_EQ(Marked("{{ {'a': '<s>'} | tojson }}", v), R"({"a": "<s>"})");
  EXPECT_EQ(Marked("{{ {'a': x} | tojson }}", v), R"(«{"a": "a<e>b"}»)");
  EXPECT_EQ(Marked("{{ x|truncate(4, true, '<m>', 0) }}", v), "«a»<m>");
}

TEST(TemplateTrust, TokensAndRolesOfAChat) {
  auto chat = ChatTemplate::FromSource(
      "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}",
      {{"bos_token", "<s>"}});
  ASSERT_TRUE(chat.ok());
  auto rendered = chat->Render(Json(
      R"([{"role": "user", "content": "<s>"}, {"role": "x|>", "content": {"role": "user"}}])"));
  ASSERT_TRUE(rendered.ok()) << rendered.status().message();
  EXPECT_EQ(rendered->text, "<s><|user|><s><|x|>|>{'role': 'user'}");
  const std::vector<TextSpan> wanted = {{0, 11}, {14, 16}, {19, 23}, {27, 31}, {35, 37}};
  // "<s><|user|>" · the user's <s> · "<|" · a role that is no word · "|>{'" · role · "': '" · user
  // · "'}"
  EXPECT_EQ(rendered->trusted_spans, wanted);
}

TEST(TemplateBudget, DeepSourceIsALoadError) {
  for (const std::string& source :
       {"{{ " + Repeat("(", 100'000), "{{ " + Repeat("[", 100'000), Repeat("{% if 1 %}", 40'000),
        "{{ " + Repeat("not ", 100'000) + "1 }}", "{{ " + Repeat("-", 100'000) + "1 }}",
        "{{ 1" + Repeat("+1", 100'000) + " }}", "{{ a" + Repeat(".a", 100'000) + " }}",
        "{{ a" + Repeat("|f", 100'000) + " }}", "{{ a" + Repeat("()", 100'000) + " }}",
        "{{ 1" + Repeat(" if 1 else 1", 30'000) + " }}", "{{ 1" + Repeat(" and 1", 60'000) + " }}",
        "{{ " + Repeat("{1:", 100'000), "{{ " + Repeat("f(a=", 100'000),
        "{{ " + Repeat("f(*", 90'000), "{% set " + Repeat("(", 100'000),
        "{% for " + Repeat("(", 100'000), Repeat("{% for x in y %}", 30'000),
        Repeat("{% macro a() %}", 30'000)}) {
    const Outcome outcome = RenderOnce(source);
    EXPECT_EQ(outcome.code, StatusCode::kBadFile) << source.substr(0, 20);
    EXPECT_NE(outcome.text.find("deeper than the limit of 256"), std::string::npos)
        << source.substr(0, 20) << ": " << outcome.text;
  }
  EXPECT_EQ(RenderOnce("{{ " + Repeat("(", 200) + "1" + Repeat(")", 200) + " }}").text, "1");
  EXPECT_EQ(RenderOnce("{{ 1" + Repeat(" ~ 1", 10'000) + " }}").text, Repeat("1", 10'001));
  EXPECT_EQ(RenderOnce(Repeat("x", (512 << 10) + 1)).code, StatusCode::kBadFile);
}

TEST(TemplateBudget, EndlessWorkIsARenderError) {
  for (const char* source : {
           "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
           "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('a') }}",
           "{% macro m() %}{{ caller() }}{% endmacro %}{% macro n() %}{% call m() %}{{ n() }}"
           "{% endcall %}{% endmacro %}{{ n() }}",
           "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
           "{% block a %}{{ self.a() }}{% endblock %}",
           "{{ range(10**9) }}",
           "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
           "{% for a in range(100000) %}{{ range(100000)|list|length }}{% endfor %}",
           "{{ 'a' * 10**9 }}",
           "{{ 'a' * 10**30 }}",
           "{{ [1] * 10**9 }}",
           "{{ (1, 2) * 10**30 }}",
           "{% set ns = namespace(s='a') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}"
           "{% endfor %}",
           "{% set ns = namespace(s=[1]) %}{% for i in range(64) %}{% set ns.s = ns.s + ns.s %}"
           "{% endfor %}",
           "{% set ns = namespace(s='') %}{% for i in range(100000) %}{% set ns.s = ns.s ~ "
           "'0123456789abcdef' %}{% endfor %}",
           "{{ '%1000000000d' % 1 }}",
           "{{ '%.1000000000f' % 1 }}",
           "{{ '%*d' % (10**18, 1) }}",
           "{{ '{:1000000000}'.format(1) }}",
           "{{ '{:.1000000000f}'.format(1.5) }}",
           "{{ 'a'.center(10**12) }}",
           "{{ 'a'.ljust(10**18) }}",
           "{{ 'a'|center(10**9) }}",
           "{{ 'a\nb'|indent(10**9) }}",
           "{{ '\t'.expandtabs(10**15) }}",
           "{{ '1'.zfill(10**15) }}",
           "{{ [1]|batch(10**12, 0)|list }}",
           "{{ [1]|slice(10**12)|list }}",
           "{{ [1]|tojson(indent=10**9) }}",
           "{{ 10**10**10 }}",
           "{{ 2**127 }}",
           "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
           "{{ ('ab' * 50000).replace('', 'b' * 100000) }}",
           "{{ (('a' * 1000) ~ ',') * 1000 }}{{ 'x'.join(('a' * 100000 ~ ',').split('a')) }}"
           "{% for i in range(99999) %}{{ ('a' * 100000).count('aaaaaaaaab') }}{% endfor %}",
           "{% for i in range(100000) %}{{ ('a' * 1000000).strip('b' * 1000000 ~ 'a') }}{% endfor "
           "%}",
           "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}"
           "{% endfor %}{{ ns.l }}",
           "{% set ns = namespace(l=[], m=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}"
           "{% set ns.m = [ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
           "{% set ns = namespace(g=[1]) %}{% for i in range(100000) %}{% set ns.g = "
           "ns.g|map('string') %}{% endfor %}{{ ns.g|list }}",
           "{% set ns = namespace(g=[1]) %}{% for i in range(100000) %}{% set ns.g = "
           "ns.g|unique|batch(1)|select %}{% endfor %}{{ ns.g|list }}",
           "{% set ns = namespace(t=()) %}{% for i in range(99) %}{% set ns.t = (ns.t, ns.t) %}"
           "{% endfor %}{{ {ns.t: 1} }}",
           "{% set ns = namespace(t=(), u=()) %}{% for i in range(99) %}{% set ns.t = (ns.t, ns.t) "
           "%}{% set ns.u = (ns.u, ns.u) %}{% endfor %}{{ ns.t == ns.u }}",
           "{% set ns = namespace(t=[]) %}{% for i in range(99) %}{% set ns.t = [ns.t, ns.t] %}"
           "{% endfor %}{{ ns.t|tojson }}",
           "{% set ns = namespace(t=[]) %}{% for i in range(99) %}{% set ns.t = [ns.t, ns.t] %}"
           "{% endfor %}{{ ns.t|pprint }}",
           "{% set ns = namespace() %}{% set ns.me = [ns] %}{{ ns }}",
           "{{ raise_exception('x' * 10**9) }}",
           "{{ range(100000)|map('string')|list|sort|join|list|map('upper')|join|length }}"
           "{% for i in range(100000) %}{{ range(100000)|sum }}{% endfor %}",
       }) {
    // Work without a bound would take hours: the time limit of the whole test is what sees it.
    const Outcome outcome = RenderOnce(source);
    EXPECT_EQ(outcome.code, StatusCode::kRunTime) << source << "\n" << outcome.text.substr(0, 99);
  }
}

TEST(TemplateBudget, ChainsOfObjectsDieWithoutAStack) {
  // A list in a list in a list ..., a namespace that holds the one before it ...: made, then
  // dropped.
  EXPECT_EQ(
      RenderOnce("{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}"
                 "{% endfor %}{% set ns.l = 0 %}done")
          .text,
      "done");
  EXPECT_EQ(RenderOnce("{% set ns = namespace(c=0) %}{% for i in range(50000) %}"
                       "{% set ns.c = namespace(p=ns.c) %}{% endfor %}done")
                .text,
            "done");
  EXPECT_EQ(
      RenderOnce("{% set a = namespace() %}{% set b = namespace(a=a) %}{% set a.b = b %}"
                 "{% set a.m = [a, b] %}{% macro m() %}{{ a }}{% endmacro %}{% set a.f = m %}ok")
          .text,
      "ok");
}

TEST(TemplateBudget, GrowsWithTheRequest) {
  const JsonValue big = JsonValue(JsonObject{{"x", std::string(20 << 20, 'a')}});
  const Outcome outcome = RenderOnce("{{ x }}{{ x|length }}", big);
  ASSERT_EQ(outcome.code, StatusCode::kOk) << outcome.text;
  EXPECT_EQ(outcome.text.size(), (20u << 20) + 8);
}

TEST(TemplateNames, PythonsOwnNamesDoNotExist) {
  for (const char* source : {
           "{{ ''.__class__ }}",
           "{{ ''.__class__.__mro__ }}",
           "{{ ''['__class__'] }}",
           "{{ ''|attr('__class__') }}",
           "{{ [].__class__.__base__.__subclasses__() }}",
           "{{ range.__globals__ }}",
           "{{ cycler.__init__.__globals__.os }}",
           "{{ namespace.__init__ }}",
           "{{ dict.__class__ }}",
           "{{ raise_exception.__globals__ }}",
           "{{ messages.__class__ }}",
           "{{ '{0.__class__}'.format(1) }}",
           "{{ '{x[__class__]}'.format(x=1) }}",
           "{{ [1]|map(attribute='__class__')|list }}",
           "{{ (1).__add__(1) }}",
           "{{ {}.__init__ }}",
           "{{ missing.__class__ }}",
           "{% macro m() %}{% endmacro %}{{ m.__call__ }}",
           "{% for x in [1] %}{{ loop.__init__ }}{% endfor %}",
           "{% include '/etc/passwd' %}",
           "{% import 'os' as os %}",
           "{% from 'os' import x %}",
           "{% extends 'base' %}",
           "{{ open('/etc/passwd') }}",
           "{{ os.environ }}",
           "{{ [].append(1) }}",
           "{{ {}.update({}) }}",
           "{{ [1].pop() }}",
           "{{ {}.clear() }}",
           "{% set ns = namespace(_x=1) %}",
           "{% set ns = namespace() %}{% set ns._x = 1 %}",
       }) {
    const Outcome outcome = RenderOnce(source, Json(R"({"messages": [{"a": 1}]})"));
    EXPECT_NE(outcome.code, StatusCode::kOk) << source << " renders " << outcome.text;
  }
  // A key of a dict may have any name.
  EXPECT_EQ(RenderOnce("{{ d['__x__'] }}", Json(R"({"d": {"__x__": 1}})")).text, "1");
}

TEST(TemplateErrors, SayWhereAndWhat) {
  EXPECT_EQ(RenderOnce("a\n{% if %}").text,
            "test: line 2: Expected an expression, got 'end of statement block'");
  EXPECT_EQ(RenderOnce("{{ x|nofilter }}").text, "test: line 1: No filter named 'nofilter'.");
  EXPECT_EQ(RenderOnce("a\n\n{{ x.y }}").text, "chat template, line 3: 'x' is undefined");
  EXPECT_EQ(RenderOnce("{{ d.y.z }}", Json(R"({"d": {}})")).text,
            "chat template, line 1: 'dict object' has no attribute 'y'");
  EXPECT_EQ(RenderOnce("{{ raise_exception('Only user roles') }}").text, "Only user roles");
  EXPECT_EQ(RenderOnce("\xff").code, StatusCode::kBadFile);
  EXPECT_EQ(RenderOnce("{{ '\\ud800' }}").code, StatusCode::kRunTime);
}

TEST(TemplateClock, HonoursSourceDateEpoch) {
  ::setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
  EXPECT_EQ(RenderOnce("{{ strftime_now('%Y-%m-%d %H:%M:%S|%d %b %Y|%j%%|%f|%Z') }}").text,
            "2023-11-14 22:13:20|14 Nov 2023|318%|000000|");
  ::unsetenv("SOURCE_DATE_EPOCH");
  EXPECT_EQ(RenderOnce("{{ strftime_now('%Y')|int > 2024 }}").text, "True");
  EXPECT_EQ(RenderOnce("{{ strftime_now('%9999999Y')|length < 300 }}").text, "True");
}

TEST(TemplateThreads, OneTemplateManyRenderings) {
  auto parsed = Template::Parse("{% for i in range(200) %}{{ x ~ '-' ~ i }}{% endfor %}", "test");
  ASSERT_TRUE(parsed.ok());
  std::vector<std::string> texts(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const JsonValue x(t);
      for (int i = 0; i < 20; ++i) texts[t] = parsed->Render({{"x", &x}})->text;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 4; ++t)
    EXPECT_EQ(texts[t].substr(0, 4), std::to_string(t) + "-0" + std::to_string(t));
}

// --- the files of a model folder ---

class ChatTemplateFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "chat_template_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ + "/additional_chat_templates");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, std::string_view text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  // The rendering of one message, or "error CODE: message".
  std::string Render(ChatOptions options = {}) {
    auto chat = ChatTemplate::OpenFolder(folder_);
    if (!chat.ok()) return Failure(chat.status());
    if (!chat->has_template()) return "none";
    auto rendered = chat->Render(Json(R"([{"role": "user", "content": "hi"}])"), options);
    return rendered.ok() ? rendered->text : Failure(rendered.status());
  }
  static std::string Failure(const Status& status) {
    return "error " + std::to_string(status.exit_code()) + ": " + status.message();
  }

  std::string folder_;
};

TEST_F(ChatTemplateFolder, MayHaveNoTemplate) {
  EXPECT_EQ(Render(), "none");
  Write("tokenizer_config.json", R"({"bos_token": "<s>"})");
  EXPECT_EQ(Render(), "none");
  auto chat = ChatTemplate::OpenFolder(folder_);
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(chat->Render(Json("[]")).status().code(), StatusCode::kRunTime);
}

TEST_F(ChatTemplateFolder, TheJinjaFileComesFirst) {
  Write("chat_template.json", R"({"chat_template": "processor"})");
  EXPECT_EQ(Render(), "processor");
  Write("tokenizer_config.json", R"({"chat_template": "config"})");
  EXPECT_EQ(Render(), "config");
  Write("additional_chat_templates/tool_use.jinja", "tools");
  EXPECT_EQ(Render().substr(0, 7),
            "error 1");  // the config's no longer counts; none is the default
  Write("chat_template.jinja", "file");
  EXPECT_EQ(Render(), "file");
}

TEST_F(ChatTemplateFolder, NamedTemplates) {
  Write("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "plain"},
      {"name": "tool_use", "template": "tools"}, {"name": "rag", "template": "rag"}]})");
  EXPECT_EQ(Render(), "plain");
  const JsonValue tools = Json(R"([{"type": "function"}])"), no_tools = Json("[]"), null;
  EXPECT_EQ(Render({.tools = &tools}), "tools");
  EXPECT_EQ(Render({.tools = &no_tools}), "tools");
  EXPECT_EQ(Render({.tools = &null}), "plain");
  EXPECT_EQ(Render({.tools = &tools, .template_name = "rag"}), "rag");
  EXPECT_EQ(Render({.template_name = "other"}).substr(0, 7), "error 2");
}

TEST_F(ChatTemplateFolder, SpecialTokens) {
  Write("chat_template.jinja", "{{ bos_token }}{{ eos_token }}{{ image_token }}{{ pad_token }}");
  Write("tokenizer_config.json", R"({"bos_token": "<s>", "pad_token": null, "image_token": "<img>",
      "eos_token": {"__type": "AddedToken", "content": "</s>", "lstrip": false}})");
  EXPECT_EQ(Render(), "<s></s><img>");
  Write("special_tokens_map.json", R"({"bos_token": "<b>", "pad_token": {"content": "<p>"}})");
  EXPECT_EQ(Render(), "<b></s><img><p>");
  // Where the config lists its added tokens, the older file does not count.
  Write("tokenizer_config.json", R"({"bos_token": "<s>", "added_tokens_decoder": {},
      "extra_special_tokens": {"image_token": "<i>"}})");
  EXPECT_EQ(Render(), "<s><i>");
}

TEST_F(ChatTemplateFolder, BadFilesAreNamed) {
  Write("chat_template.jinja", "a\n{% endif %}");
  EXPECT_EQ(Render(), "error 3: " + folder_ +
                          "/chat_template.jinja: line 2: Encountered unknown tag 'endif'.");
  Write("chat_template.jinja", "");
  EXPECT_EQ(Render(), "");
  std::filesystem::remove(folder_ + "/chat_template.jinja");
  Write("tokenizer_config.json", "{");
  EXPECT_EQ(Render().substr(0, 7), "error 3");
  Write("tokenizer_config.json", "[]");
  EXPECT_EQ(Render().substr(0, 7), "error 3");
  Write("tokenizer_config.json", R"({"chat_template": 5})");
  EXPECT_EQ(Render().substr(0, 7), "error 3");
  Write("tokenizer_config.json", R"({"chat_template": [{"name": "default"}]})");
  EXPECT_EQ(Render().substr(0, 7), "error 3");
}

TEST_F(ChatTemplateFolder, RequestsOfTheWrongShape) {
  Write("chat_template.jinja", "{{ tools }}{{ documents }}{{ x }}{{ add_generation_prompt }}");
  EXPECT_EQ(Render(), "NoneNoneTrue");
  EXPECT_EQ(Render({.add_generation_prompt = false}), "NoneNoneFalse");
  const JsonValue good = Json(R"({"x": [1, {"y": null}]})");
  EXPECT_EQ(Render({.kwargs = &good}), "NoneNone[1, {'y': None}]True");
  for (const char* kwargs :
       {R"({"messages": []})", R"({"tools": 1})", R"({"add_generation_prompt": 1})",
        R"({"documents": 1})", R"({"chat_template": "x"})", R"({"raise_exception": 1})",
        R"({"bos_token": "x"})", R"({"namespace": 1})", "[]", "5"}) {
    const JsonValue value = Json(kwargs);
    EXPECT_EQ(Render({.kwargs = &value}).substr(0, 7), "error 2") << kwargs;
  }
  for (const char* list : {"{}", "5", "\"x\"", "[1]", "[[]]", "[null]"}) {
    const JsonValue value = Json(list);
    EXPECT_EQ(Render({.tools = &value}).substr(0, 7), "error 2") << list;
    EXPECT_EQ(Render({.documents = &value}).substr(0, 7), "error 2") << list;
    auto chat = ChatTemplate::OpenFolder(folder_);
    ASSERT_TRUE(chat.ok());
    EXPECT_EQ(chat->Render(value).status().code(), StatusCode::kUsage) << list;
  }
  auto chat = ChatTemplate::OpenFolder(folder_);
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(chat->Render(Json("[]")).status().code(), StatusCode::kUsage);
}

TEST_F(ChatTemplateFolder, MessagesArePreparedAsTransformersPreparesThem) {
  Write("chat_template.jinja", "{{ messages }}");
  auto chat = ChatTemplate::OpenFolder(folder_);
  ASSERT_TRUE(chat.ok());
  const auto render = [&](std::string_view messages) {
    auto rendered = chat->Render(Json(messages));
    return rendered.ok() ? rendered->text : rendered.status().message();
  };
  EXPECT_EQ(render(R"([{"role": "user", "content": null, "x": {"y": null}}])"),
            "[{'role': 'user', 'x': {'y': None}}]");
  EXPECT_EQ(render(R"([{"role": "a", "reasoning": "r"}])"),
            "[{'thinking': 'r', 'role': 'a', 'reasoning': 'r', 'reasoning_content': 'r'}]");
  EXPECT_EQ(render(R"([{"thinking": "t", "reasoning_content": "c"}])"),
            "[{'thinking': 't', 'reasoning_content': 'c'}]");
}

}  // namespace
}  // namespace fathom
