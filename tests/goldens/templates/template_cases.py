"""The small templates that make_template_goldens.py asks the real Jinja about."""

VARIABLES = {
    "s": "Hello World",
    "u": "héllo wörld ß Ω ǆ ΑΣ",
    "e": "",
    "sp": "  a  b \n",
    "csv": "a,b,,c",
    "ml": "line1\nline2\r\n\nline4\n",
    "html": "<b title=\"x\">&'</b>",
    "emoji": "a😀b",
    "n": 42,
    "neg": -7,
    "zero": 0,
    "big": 9223372036854775807,
    "f": 3.14159,
    "half": 2.5,
    "huge": 1e300,
    "yes": True,
    "no": False,
    "nil": None,
    "l": [3, 1, 2],
    "ls": ["b", "A", "c", "a"],
    "nested": [[1, 2], [3, [4, 5]]],
    "mixed": [1, "a", None, 2.5, True, [1], {"k": "v"}],
    "empty": [],
    "d": {"a": 1, "b": [1, 2], "c": {"x": "y"}},
    "ed": {},
    "trap": {"items": 5, "keys": "k", "get": 1, "x y": 2},
    "users": [
        {"name": "Bob", "age": 30, "city": "NY", "tags": ["x", "y"], "on": True},
        {"name": "alice", "age": 25, "city": "LA", "tags": [], "on": False},
        {"name": "Carl", "age": 30, "city": "ny", "on": True},
    ],
    "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}],
    "args": {"location": "Paris, France", "n": 1.0, "deep": {"list": [1, None, True, "é\u2028\"\\"]}},
}

# Expressions, each printed. Names of Python's own (__class__ ...) are not among them: where Jinja hands out
# an undefined value the interpreter fails (tests/text/template_test.cc).
EXPRESSIONS = r"""
1
-1
+1
--1
1_000
0x1F
0b101
0o17
0x_ff
00
1.5
1e3
1.5e-7
1E5
1_0.5_0
123456789012345678
1e16
1e15
123456789.123456789
0.1+0.2
1/3
1e22
1.0
-0.0
1e-5
0.0001
5e-324
1.7976931348623157e308
1e400
'a'
"a"
'a' "b" 'c'
'it\'s'
"q\"q"
'\n\t\\x\x41\u00e9\U0001F600\101\0'
'\q\é'
'\x4'
'\N{DASH}'
'a\
b'
true
True
false
False
none
None
[]
[1, 'a', none, true, 1.5]
[1,]
()
(1,)
(1, 2)
(1)
1, 2
{}
{'a': 1}
{'a': 1,}
{1: 'x', 1.0: 'y', true: 'z'}
{(1,2): 3}
{[1]: 2}
{'a': {'b': [1, {'c': ()}]}}
1 + 2
1 + 2.5
1 - 2
2 * 3
2 * 'ab'
'ab' * 3
'ab' * -1
[1] * 3
(1, 2) * 2
7 / 2
6 / 2
7 // 2
-7 // 2
7 // -2
7.5 // 2
-7.5 // 2
1 // 0.1
7 % 3
-7 % 3
7 % -3
7.5 % 2
-7.5 % 2
2 ** 10
2 ** -1
2 ** 0.5
2 ** 3 ** 2
-2 ** 2
(-8) ** 2
0 ** 0
0 ** -1
1 / 0
1 // 0
1 % 0
1.0 % 0
2.0 ** 5000
10 ** 20
10 ** 30
9223372036854775807 + 1
big * big
big - -big
true + true
true * 3
not true
not not 1
not ''
1 and 2
0 and 2
'' or 'x'
nil or 0 or 'last'
1 or missing.x
0 and missing.x
1 if true
1 if false
1 if false else 2
'a' if s else 'b'
1 if true else 2 if true else 3
(1 if false else 2) if true else 3
1 < 2
1 < 2 < 3
1 < 3 < 2
3 > 2 >= 2 != 1 == 1
1 == 1.0
1 == true
'a' == 'a'
'a' < 'b'
'a' < 1
[1, 2] < [1, 3]
[1] < [1, 0]
(1, 2) == [1, 2]
[1, 2] == [1, 2]
d == {'a': 1, 'b': [1, 2], 'c': {'x': 'y'}}
{'a': 1, 'b': 2} == {'b': 2, 'a': 1}
nil == none
nil < 1
nil is none
1 in [1, 2]
3 not in [1, 2]
'a' in 'abc'
1 in 'abc'
'a' in d
1 in d
'x' in nil
'' in ''
1 in (1, 2)
2.0 in [1, 2]
'H' in s and 'W' in s
not 'z' in s
'a' ~ 'b'
1 ~ 2
nil ~ true ~ 1.5
s ~ missing ~ '!'
'a' ~ [1, 'b'] ~ {'c': none}
'a' + 'b'
'a' + 1
1 + 'a'
[1] + [2]
[1] + (2,)
(1,) + (2,)
nil + 1
{} + {}
'a' - 'b'
missing
missing.x
missing['x']
missing[0]
missing()
missing + 1
missing == missing2
missing == none
missing != 1
missing < 1
missing ~ 'x'
missing or 'x'
not missing
missing is defined
missing is undefined
missing is none
missing in [1]
1 in missing
missing|default('d')
missing|list
missing|length
missing|int
missing|upper
missing|join(',')
missing|string
missing|first
missing|tojson
missing|trim
missing|abs
missing|round
missing|float
missing|items|list
-missing
[missing]
{'a': missing}
'%s' % missing
d.a
d['a']
d.b[0]
d.c.x
d['c']['x']
d.zzz
d.zzz.y
d.zzz is defined
d['zzz'] is defined
d.get('a')
d.get('q')
d.get('q', 5)
d.get()
d.items()|list
d.keys()|list
d.values()|list
d.items()
d.keys()
d.values()
d.copy()
d.pop('a')
d.update({'z': 1})
d.setdefault('z', 1)
d.clear
d.pop is defined
trap.items()|list
trap['items']
trap.keys()
trap.get('items')
trap['x y']
l.append(4)
l.sort()
l.pop()
l.index(2)
l.index(9)
l.count(1)
l.copy()
l.foo
l['foo']
l['append']
l[0]
l[-1]
l[5]
l[5] is defined
l[-4] is defined
l[1.0]
l['0']
l.0
nested.1.1.0
nested[1][1][0]
l[true]
l[:2]
l[1:]
l[::-1]
l[::2]
l[-2:]
l[:-1]
l[5:]
l[2:0]
l[::0]
l['a':]
l[none:2]
s[0]
s[-1]
s[20]
s[0:5]
s[::-1]
s[::2]
s[-5:]
s[5:0:-1]
s[10:0:-3]
u[1]
u[::-1]
emoji[1]
emoji[::-1]
emoji|length
s[0].x
(1, 2, 3)[1:]
(1, 2, 3)[1:][0]
range(10)[2:5]
range(10)[2:5]|list
range(10)[::-2]|list
d[1:2]
n[1:2]
missing[1:2]
nil[1:2]
d[1:2, 3]
l[1, 2]
d[[1]]
d[(1,2)]
n.x
n.real
n[0]
nil.x
nil['x']
s.x
s['upper']()
d['items']()|list
s.upper()
s.lower()
s.title()
s.capitalize()
s.swapcase()
u.upper()
u.lower()
u.title()
u.capitalize()
u.casefold()
'ΑΣ ΑΣΑ'.lower()
'ǆabc'.title()
'İI'.lower()
'ﬁn'.upper()
"they're bill's".title()
s.split()
s.split('o')
s.split('o', 1)
s.rsplit('o', 1)
s.rsplit('o')
s.split(sep='l', maxsplit=1)
s.split('')
s.split(none)
sp.split()
sp.split(' ')
sp.split(none, 1)
sp.rsplit(none, 1)
csv.split(',')
csv.rsplit(',', 2)
''.split()
''.split(',')
ml.splitlines()
ml.splitlines(true)
ml.splitlines(keepends=True)
'a\x0bb\x1cc\u2028d'.splitlines()
s.strip('Hd')
sp.strip()
sp.lstrip()
sp.rstrip()
'xxaxx'.strip('x')
'xyx'.strip(1)
'\u3000a\u00a0'.strip()
s.startswith('He')
s.startswith(('x', 'H'))
s.startswith('W', 6)
s.startswith('')
s.startswith(1)
s.endswith('ld')
s.endswith(('x',))
s.endswith('o', 0, 5)
s.startswith(['H'])
s.find('o')
s.find('z')
s.find('o', 5)
s.find('o', 5, 6)
s.rfind('o')
s.index('o')
s.index('z')
s.count('l')
s.count('')
s.count('ll', 0, 3)
s.replace('o', '0')
s.replace('o', '0', 1)
s.replace('', '-')
s.replace('', '-', 2)
s.replace('o')
s.replace(old='o', new='x')
'aaa'.replace('aa', 'b')
s.join(['a', 'b'])
', '.join(['a', 'b'])
', '.join([1])
', '.join('abc')
', '.join(d)
''.join([])
s.center(20)
s.center(20, '*')
s.center(21, '*')
'ab'.center(5, '-')
'abc'.center(6, '-')
s.ljust(15) ~ '|'
s.rjust(15, '.')
'42'.zfill(5)
'-42'.zfill(5)
'+1'.zfill(1)
s.partition(' ')
s.partition('z')
s.rpartition('o')
s.rpartition('z')
s.partition('')
s.removeprefix('Hello ')
s.removesuffix('World')
s.removeprefix('x')
'a\tb'.expandtabs()
'a\tb\n\tc'.expandtabs(4)
'123'.isdigit()
'12a'.isdigit()
''.isdigit()
'²'.isdigit()
'²'.isdecimal()
'½'.isnumeric()
'abc'.isalpha()
'ab1'.isalnum()
'ab 1'.isalnum()
'abc'.islower()
'ABC'.isupper()
'Abc Def'.istitle()
' \n'.isspace()
'a_1'.isidentifier()
'1a'.isidentifier()
'aé'.isascii()
'a\n'.isprintable()
s.encode is defined
'abc'.translate({97: 'x', 98: none})
'abc'.translate('abc'.maketrans('ab', 'xy'))
'{} {}'.format(1, 'a')
'{0} {1} {0}'.format('a', 'b')
'{a} {b}'.format(a=1, b=[2])
'{a[x]} {a.zz}'.format(a={'x': 5})
'{0[1]}'.format([1, 2])
'{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd')
'{:05d} {:+d} {:,} {:x} {:#X} {:b} {:o} {:c}'.format(42, 42, 1234567, 255, 255, 5, 8, 65)
'{:.2f} {:e} {:g} {:%} {:.3}'.format(3.14159, 12345.678, 0.00001, 0.25, 2.71828)
'{:10.3f}|{:<10.1f}|{:+.1f}|{:,.2f}'.format(3.14159, 2.5, 1.0, 1234567.891)
'{:.3}'.format('abcdef')
'{!r} {!s} {!a}'.format('é', 'é', 'é')
'{{}} {{{}}}'.format(1)
'{} {0}'.format(1)
'{'.format(1)
'}'.format(1)
'{2}'.format(1)
'{x}'.format(y=1)
'{:{}}'.format('a', 5)
'{:{w}}|'.format('a', w=4)
'{:d}'.format('a')
'{:d}'.format(1.5)
'{:s}'.format(1)
'{:5}|{:5}'.format(1, true)
'{}'.format(none)
'{:5}'.format(none)
'{:010,}'.format(1234)
'{:_}'.format(1234567)
'{:=+8}'.format(42)
'{:g} {:g} {}'.format(1e10, 1e5, 1e16)
'{:.0f} {:.0f}'.format(0.5, 1.5)
'{a}'.format_map({'a': 1})
'{.real}'.format(5)
'%s %s' % ('a', 1)
'%s' % 'a'
'%s' % [1]
'%d' % 3.7
'%d' % 'a'
'%5d|%-5d|%05d|%+d' % (1, 2, 3, 4)
'%x %X %o %#x' % (255, 255, 8, 255)
'%.2f %e %g' % (3.14159, 12345.678, 0.0001)
'%5.1f|%-8.2f|%08.3f' % (1.25, 2.5, -3.14159)
'%r %s' % ('a', 'a')
'%c%c' % ('a', 66)
'%%' % ()
'%s' % ()
'%s' % (1, 2)
'%(a)s %(b)d' % {'a': 1, 'b': 2}
'%(zz)s' % {'a': 1}
'%s %s' % d
'%z' % 1
'%' % 1
'%*d' % (5, 42)
'%.3s' % 'abcdef'
'%i' % true
'%s' % none
'abc' % []
'abc' % 1
s|upper
s|lower
s|title
'foo-bar (baz) [qux]{x} <y>'|title
s|capitalize
12|upper
nil|upper
sp|trim
'xxaxx'|trim('x')
'xxaxx'|trim(chars='x')
s|replace('o', '0')
s|replace('o', '0', 1)
12|replace(1, 3)
s|length
l|length
d|count
n|length
nil|length
s|first
l|first
empty|first
empty|first is defined
d|first
s|last
l|last
empty|last
d|last
d.items()|last
l|reverse|list
s|reverse
d|reverse|list
n|reverse
l|sort
l|sort(reverse=true)
ls|sort
ls|sort(case_sensitive=true)
mixed|sort
users|sort(attribute='name')|map(attribute='name')|list
users|sort(attribute='age,name')|map(attribute='name')|list
users|sort(true, attribute='age')|map(attribute='name')|list
d|sort
'cab'|sort
l|min
l|max
ls|min
ls|max
empty|min
empty|max is defined
users|max(attribute='age')
l|sum
l|sum(start=10)
users|sum(attribute='age')
ls|sum
[[1], [2]]|sum(start=[])
empty|sum
[1.5, 2]|sum
l|join
l|join(', ')
users|join('-', attribute='name')
users|join('-', 'name')
d|join(',')
'abc'|join('.')
nil|join
mixed|join('|')
l|list
'abc'|list
d|list
5|list
ls|unique|list
[1, 1.0, true, '1']|unique|list
users|unique(attribute='city')|map(attribute='name')|list
users|unique(true, 'city')|map(attribute='name')|list
l|map('string')|list
ls|map('upper')|join
users|map(attribute='name')|list
users|map(attribute='zz')|list
users|map(attribute='zz', default='?')|list
users|map(attribute='tags.0', default='-')|list
users|map('nofilter')|list
users|map|list
ls|map('replace', 'a', 'x')|list
l|select('odd')|list
l|select('>', 1)|list
mixed|select|list
mixed|reject|list
l|reject('even')|list
mixed|select('string')|list
mixed|select('mapping')|list
users|selectattr('on')|map(attribute='name')|list
users|selectattr('age', '==', 30)|map(attribute='name')|list
users|selectattr('tags', 'defined')|map(attribute='name')|list
users|rejectattr('on')|map(attribute='name')|list
users|rejectattr('name', 'in', ['Bob'])|map(attribute='name')|list
users|selectattr|list
l|select('notest')|list
l|select(odd)|list
users|groupby('age')
users|groupby('city')|map('first')|list
users|groupby('city', case_sensitive=true)|map(attribute='grouper')|list
users|groupby('zz', default='d')|map(attribute='grouper')|list
(users|groupby('age'))[0].list|length
[1,2,3,4,5]|batch(2)|list
[1,2,3,4,5]|batch(2, 'x')|list
[1,2,3,4,5]|slice(2)|list
[1,2,3,4,5]|slice(3, 'x')|list
[1,2,3]|slice(0)|list
empty|batch(2)|list
d|dictsort
{'b': 1, 'A': 2}|dictsort
{'b': 1, 'A': 2}|dictsort(true)
{'b': 1, 'A': 2}|dictsort(false, 'value')
{'b': 1, 'A': 2}|dictsort(by='value', reverse=true)
d|dictsort(by='zz')
l|dictsort
d|items|list
l|items|list
42.55|round
42.55|round(1)
42.55|round(1, 'floor')
42.55|round(1, 'ceil')
42|round
42|round(-1)
45|round(-1)
55|round(-1)
-45|round(-1)
1234.5|round(-2)
2.5|round
3.5|round
-2.5|round
2.675|round(2)
1.005|round(2)
42.1|round(0, 'ceil')
42.1|round(0, 'zz')
42|round(2, 'floor')
'a'|round
'42'|int
'42.7'|int
'abc'|int
'abc'|int(default=5)
'ff'|int(0, 16)
'0xff'|int(0, 16)
'0xff'|int(0, 0)
'0b11'|int(base=2)
' 42 '|int
'1_000'|int
'-7'|int
42.9|int
-42.9|int
true|int
nil|int
nil|int(7)
'1e3'|int
'inf'|int
[1]|int
'١٢'|int
'3.5'|float
'abc'|float
'abc'|float(1.5)
' 1e3 '|float
'inf'|float
'-inf'|float
'nan'|float
'1_0.5'|float
nil|float
5|float
5|string
nil|string
[1,'a']|string
1.0|string
-5|abs
-5.5|abs
'a'|abs
true|abs
missing|d('x')
''|d('x')
''|d('x', true)
nil|d('x')
nil|default('x', boolean=true)
missing.x|d('y')
d.zz|d
d|attr('a')
d|attr('items') is callable
s|center(21) ~ '|'
s|center
s|indent
ml|indent
ml|indent(2)
ml|indent(2, true)
ml|indent(2, true, true)
ml|indent('> ')
ml|indent(first=true, blank=false, width=1)
''|indent(2, true)
n|indent
'foo bar baz qux'|truncate(9)
'foo bar baz qux'|truncate(9, true)
'foo bar baz qux'|truncate(11)
'foo bar baz qux'|truncate(11, false, '...', 0)
'foo bar baz qux'|truncate(9, end='~')
'foo bar baz qux'|truncate(2)
'a b_c-d é'|wordcount
n|wordcount
'hello big wide world foo-bar baz'|wordwrap(10)
'averyveryverylongword short'|wordwrap(8)
'averyveryverylongword short'|wordwrap(8, false)
'one two\nthree four five'|wordwrap(9, wrapstring='|')
'semi-automatic state-of-the-art e-mail -- ok'|wordwrap(8)
'a'|wordwrap(0)
html|e
html|escape
html|forceescape
html|e|e
html|e|forceescape
html|safe
html|striptags
'a &amp; b &lt; &copy; &#65; &#x41; &bogus; &ampx'|striptags
'<!-- c -->a <b>b</b>  c'|striptags
(html|e) + '<'
'<' + (html|safe)
(html|safe) ~ '<'
('<%s>'|safe) % '<'
('<{}>'|safe).format('<')
('<b>'|safe).join(['<', 'x'|safe])
('<b>'|safe)|upper
('<b>'|safe).replace('b', '<')
[html|e]
html|e is escaped
html is escaped
{'a': 1, 'b': none, 'c': missing, 'd': '<'}|xmlattr
{'a': 1}|xmlattr(false)
{'a b': 1}|xmlattr
'a b/c?d=é&'|urlencode
{'a': 1, 'b c': '/é'}|urlencode
[('a', 1), ('b', 2)]|urlencode
5|urlencode
'see http://example.com/x?y=1 and (www.foo.org), me@x.com mailto:a@b.co.uk'|urlize
'https://example.com/a/very/long/path'|urlize(15, true, target='_blank')
1000|filesizeformat
1500000|filesizeformat
1500000|filesizeformat(true)
1|filesizeformat
500.5|filesizeformat
'%s-%s'|format(1, 'b')
'%(a)s'|format(a=1)
'%s'|format(1, a=2)
'%d'|format('x')
d|pprint
users|pprint
'short'|pprint
[1, 2]|pprint
l|random in l
empty|random
d|tojson
users|tojson
args|tojson
args|tojson(indent=2)
args|tojson(indent=0)
mixed|tojson(indent='\t')
d|tojson(sort_keys=true)
{'b': 1, 'a': 2}|tojson(sort_keys=true)
args|tojson(ensure_ascii=true)
args|tojson(separators=(',', ':'))
args|tojson(separators=(',', ':'), indent=1)
empty|tojson(indent=2)
ed|tojson(indent=2)
html|tojson
'a\x7f\x1f\u2028/'|tojson
1.0|tojson
1e100|tojson
none|tojson
true|tojson
(1, 2)|tojson
range(3)|tojson
{1: 2, none: 3, true: 4, 1.5: 6}|tojson
{(1,): 2}|tojson
'x'|tojson|tojson
d.items()|tojson
l|map('string')|tojson
s|nofilter
s is notest
s|upper|lower|title
s|replace('l', 'L')|replace('o', 'O')|length
1 is odd
2 is even
2.0 is even
'a' is odd
9 is divisibleby 3
9 is divisibleby(2)
9 is divisibleby 0
s is string
n is number
yes is number
n is integer
yes is integer
f is float
yes is boolean
yes is true
1 is true
no is false
nil is none
none is none
d is mapping
l is mapping
l is sequence
s is sequence
d is sequence
n is sequence
range(3) is sequence
l|map('int') is sequence
l|map('int') is iterable
s is iterable
n is iterable
d.items() is iterable
d.items() is sequence
range is callable
s.upper is callable
s is callable
missing is callable
missing is sequence
missing is iterable
missing is mapping
missing is string
'abc' is lower
'ABC' is upper
1 is lower
'upper' is filter
'zz' is filter
'odd' is test
1 is sameas 1
nil is sameas none
l is sameas l
[1] is sameas [1]
1 is eq 1
1 is ne 1
2 is gt 1
2 is ge 2
1 is lt 2
1 is le 0
1 is equalto 1
1 is greaterthan 0
1 is lessthan 0
1 is in [1]
'a' is in 'abc'
'z' is not in 'abc'
n is not string
n is defined and n is number
1 is odd is even
s is string or missing.x
not n is string
n is divisibleby 2 and n is divisibleby 3
n is divisibleby n
range(5)
range(5)|list
range(2, 5)|list
range(5, 2, -1)|list
range(0, 10, 3)|list
range(0)|list
range(1, 2, 0)
range('a')
range(1.0)
range(200000)
range(100000)|length
range(10)[3]
range(3) == range(3)
3 in range(5)
5 in range(5)
range(5)|last
range(5)|sum
dict(a=1, b=2)
dict([('a', 1)])
dict({'a': 1}, b=2)
dict([1])
dict.fromkeys(['a', 'b'], 0)
namespace(a=1)
namespace(a=1).a
namespace({'a': 1}).a
namespace(a=1).b
namespace(a=1)['a']
namespace(_a=1)
namespace([1])
cycler()
cycler(1, 2).next()
cycler(1, 2).current
joiner()()
raise_exception('boom')
raise_exception()
raise_exception(5)
strftime_now('%%')
strftime_now('plain')
lipsum is defined
cycler is defined
self is defined
loop is defined
loop
caller
foo()
n()
s()
'a'()
d.a()
[1, 2, 3](0)
s.upper(1)
s.upper(a=1)
s|upper(1)
s|replace('a', 'b', zz=1)
s|join(d='-')
l|join(*[', '])
l|join(**{'d': '+'})
l|join(*', ')
dict(*[{'a': 1}], **{'b': 2})
dict(**{'a': 1}, **{'b': 2})
dict(a=1, a=2)
dict(a=1, **{'a': 2})
range(*[1, 4])|list
range(*args)
dict(**l)
'x' if missing is defined else 'y'
(1 if false)|default('z')
(1 if false).x
1 if 0 else 2 ~ 3
1 + 1 ~ 1 + 1
2 * 3 ~ 4
-1|abs
(-1)|abs
- 1|abs
-n|abs
2 ** 2|abs
'a' 'b'|upper
not 1 == 2
1 == not 2
1 in [1] == true
1 < 2 == true
(1 < 2) == true
'a' in ['a'] and 'b' not in ['a']
1 if 1 in [1] else 0
[1, 2, 3][1]
{'a': [1, {'b': 2}]}.a[1].b
{'a': 1}['a']
('a', 'b')[0]
'abc'[1]
'abc'.upper()[0].lower()
[x for x in l]
lambda x: x
1 = 2
a.b = 1
1 +
* 2
(1
[1, 2
{'a' 1}
{'a': }
{1, 2}
'unterminated
1 2
a b
a..b
a.1b
.5
5.
1.e5
1__0
0777
08
a|
|a
a|1
a is
a is 1
a[
a[]
a[1:2:3:4]
f(
f(,)
f(a b)
f(a=)
f(1, *l, 2)
f(a=1, 2)
f(**d, 1)
a if
a if b else
if
not
and
1 and
or 1
in l
is odd
@
$x
a ? b
a && b
a || b
!a
a;b
`a`
a # b
{{ 1 }}
é
é is defined
ñandú|default('ok')
x²
_x
__x
s.__class__.__mro__
''.__class__.__mro__[1].__subclasses__()
d.__init__.__globals__
l.__len__()
missing|attr('x')
nil|attr('x')
2 ** 100
10 ** 38
'a' * 3 ~ 'b'
1e308 * 10
-1e308 * 10
huge * huge
1e308 * 10 - 1e308 * 10
(1e308 * 10)|int
0.1 * 3
1e23
100000000000000000000.0
12345678901234567890.0
0.00001234
1.5e300
4.35
0.3
1/7
22/7
1e-7
123e-10
f
half
huge
-f
f|round(2)
big
big + 0.0
big == big + 0.0
9007199254740993 == 9007199254740992.0
9007199254740993 > 9007199254740992.0
[1, 2.0, 'é', "it's", 'q"', '\n', '\x00', '\u200b', '😀', none, true]
{'k': 'v', 1: [none]}
('a',)
"'"
['\'']
["\"'"]
['\\']
nested
mixed
users[0]
[s, u, emoji]
trap
""".strip("\n").split("\n")

# Whole templates.
STATEMENTS = [
    "", "\n", "\n\n", "a\n", "a\n\n", " a ", "a\r\nb\rc\n", "{{ 1 }}\n", "{{ 1 }}\n\n", "{", "{ {", "}}", "%}", "{{", "{%",
    "{#", "{# x", "{# x #}", "a{# x #}b", "a {#- x -#} b", "{# a #}\nb", "a\n  {# c #}\nb", "{#+ c +#}\nx", "{# {{ 1 }} #}",
    "{{ }}", "{% %}", "{%", "{{ 1 }", "{{ 1 %}", "{% if 1 }}", "{{-1}}", "{{- 1 -}}", "a {{- 1 -}} b", "a {{ 1 }} b", "a {{+ 1 }} b",
    "a\n  {%- if 1 %}\n b {% endif -%}\n c", "a\n  {% if 1 %}\n b\n  {% endif %}\n c", "a\n  {%+ if 1 %}\n b {%+ endif +%}\n c",
    "  {% if 1 %}x{% endif %}\n", "x  {% if 1 %}x{% endif %}\n y", "{% if 1 %}\n\nx{% endif %}", "{% if 1 -%}\n\n x{% endif %}",
    "\t{% if 1 %}\tx\t{% endif %}\t", "a\n \t {% set x = 1 %} \nb", "{{ 1 }}\n  {% set x = 1 %}\n{{ 2 }}", "{% set x = 1 +%}\ny",
    "a\n\u00a0{% set x = 1 %}b", "{% raw %}{{ x }}{% endraw %}", "a {%- raw -%} {{ x }} {%- endraw -%} b", "{% raw %}\n x {% endraw %}\ny",
    "  {% raw %} {% if %} {% endraw %}  ", "{% raw %} x", "{%raw%}{%endraw%}", "{% raw x %}{% endraw %}", "{%- raw +%}x{%+ endraw +%}\ny",
    "{% if 1 %}a{% endif %}", "{% if 0 %}a{% else %}b{% endif %}", "{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}",
    "{% if 0 %}a{% elif 0 %}b{% elif 0 %}c{% endif %}", "{% if l %}y{% endif %}{% if empty %}n{% endif %}", "{% if 1, 2 %}t{% endif %}",
    "{% if %}{% endif %}", "{% if 1 %}", "{% endif %}", "{% if 1 %}{% endfor %}", "{% else %}", "{% if 1 %}a{% else %}b{% else %}c{% endif %}",
    "{% if 1: %}a{% endif %}", "{% unknown %}", "{% 1 %}", "{% if 1 if 0 else 1 %}a{% endif %}",
    "{% for x in l %}{{ x }}{% endfor %}", "{% for x in l %}{{ x }},{% else %}none{% endfor %}", "{% for x in empty %}{{ x }}{% else %}none{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for c in s %}{{ c }}.{% endfor %}",
    "{% for a, b in nested %}{{ a }}{{ b }}{% endfor %}", "{% for (a, b) in nested %}{{ a }}{{ b }}{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for a, b in l %}{{ a }}{% endfor %}", "{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}", "{% for a, in [[1]] %}{{ a }}{% endfor %}",
    "{% for x in 5 %}{% endfor %}", "{% for x in nil %}{% endfor %}", "{% for x in missing %}a{% else %}b{% endfor %}",
    "{% for x in l if x > 1 %}{{ x }}{% endfor %}", "{% for x in l if x > 5 %}{{ x }}{% else %}none{% endfor %}", "{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}{% endfor %}",
    "{% for x in l if loop.index > 1 %}{{ x }}{% endfor %}", "{% for x in 1, 2, 3 %}{{ x }}{% endfor %}", "{% for x in l if y %}{% endfor %}",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }};{% endfor %}", "{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in l %}{{ loop.cycle() }}{% endfor %}", "{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %}",
    "{% for x in [1, 1, 2] %}{{ loop.changed(x, 1) }}{{ loop.changed() }}{% endfor %}", "{% for x in l %}{{ loop }}{% endfor %}", "{% for x in l %}{{ loop.foo }}{{ loop.foo is defined }}{% endfor %}",
    "{% for x in l %}{{ loop.depth }}{{ loop.depth0 }}{% for y in l %}{{ loop.depth }}{% endfor %}{% endfor %}", "{% for x in l %}{% for y in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in l %}{% set outer = loop %}{% for y in [1, 2] %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "{% for x in l|map('string') %}{{ loop.last }}{{ loop.length }}{% endfor %}", "{% for x in l|map('string') %}{{ loop.revindex }}{{ x }}{% endfor %}", "{% for x in l|reverse %}{{ x }}{{ loop.last }}{% endfor %}",
    "{% for x in l %}{{ loop|length }}{% endfor %}", "{% for x in l %}{% for a, b in loop %}{{ a }}{% endfor %}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% break %}{% else %}E{% endfor %}", "{% for x in l %}{% continue %}{% else %}E{% endfor %}", "{% for x in l %}{{ x }}{% if x == 1 %}{% break %}{% endif %}{% else %}E{% endfor %}",
    "{% break %}", "{% continue %}", "{% for x in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}", "{% for x in l %}{% else %}{% break %}{% endfor %}",
    "{% for x in l %}{% for y in l %}{% else %}{% break %}{% endfor %}{% endfor %}", "{% for x in l %}{% set z %}a{% break %}{% endset %}{{ x }}{% endfor %}",
    "{% for x in l %}{% filter upper %}a{% if x == 1 %}{% continue %}{% endif %}b{% endfilter %}{% endfor %}", "{% for x in l %}{% with y = x %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endwith %}{% endfor %}",
    "{% for x in tree recursive %}[{{ x.v }}{{ loop(x.c) }}]{% endfor %}", "{% for x in tree recursive %}{{ loop.depth }}{{ loop.depth0 }}{{ loop.index }}{% if x.c %}({{ loop(x.c) }}){% endif %}{% endfor %}",
    "{% for x in tree recursive %}{{ x.v }}{% if x.c %}{{ loop(x.c) }}{% endif %}{% else %}E{% endfor %}", "{% for x in tree if x.v < 4 recursive %}{{ x.v }}{{ loop(x.c) }}{% endfor %}",
    "{% for x in l %}{{ loop([1]) }}{% endfor %}", "{% for x in l recursive %}{{ loop() }}{% endfor %}", "{% for x in l recursive %}{{ loop(l) }}{% endfor %}",
    "{% for loop in l %}{% endfor %}", "{% for x in l %}{% set loop = 1 %}{% endfor %}", "{% for x.y in l %}{% endfor %}", "{% for 1 in l %}{% endfor %}", "{% for x %}{% endfor %}", "{% for x in %}{% endfor %}", "{% for x in l %}",
    "{% for true in l %}{% endfor %}", "{% for x in l %}{{ x }}{% endfor %}{{ x }}", "{% set x = 9 %}{% for x in l %}{{ x }}{% endfor %}{{ x }}",
    "{% set x = 1 %}{{ x }}", "{% set x = 1, 2 %}{{ x }}", "{% set x, y = 1, 2 %}{{ x }}{{ y }}", "{% set (x, y) = [1, 2] %}{{ x }}{{ y }}", "{% set x, y = 1 %}", "{% set x, y = [1] %}", "{% set x, y = 1, 2, 3 %}", "{% set a, b = 'xy' %}{{ b }}{{ a }}",
    "{% set x = 1 %}{% if 1 %}{% set x = 2 %}{% endif %}{{ x }}", "{% if 1 %}{% set x = 2 %}{% endif %}{{ x }}", "{% if 0 %}{% set s = 2 %}{% endif %}{{ s }}", "{% if 0 %}{% set q = 2 %}{% endif %}{{ q }}",
    "{% set x = 1 %}{% for i in l %}{% set x = i %}{% endfor %}{{ x }}", "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }},{% endfor %}{{ x }}", "{% for i in l %}{{ q }}{% set q = i %}{{ q }};{% endfor %}",
    "{% for i in l %}{% if i == 1 %}{% set q = i %}{% endif %}{{ q }};{% endfor %}", "{{ x }}{% set x = 1 %}{{ x }}", "{{ s }}{% set s = 1 %}{{ s }}", "{% set s = s ~ '!' %}{{ s }}",
    "{% set ns = namespace(x=1) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b }}|{{ ns }}", "{% set d.x = 1 %}", "{% set q.x = 1 %}", "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}",
    "{% set ns = namespace() %}{% set ns._a = 1 %}", "{% set ns = namespace() %}{% set ns.a.b = 1 %}", "{% set ns = namespace(a=[]) %}{% set ns.a = ns.a + [1] %}{{ ns.a }}", "{% set ns['a'] = 1 %}", "{% set x %}a{{ 1 }}b{% endset %}{{ x }}|{{ x|length }}",
    "{% set x | upper %}ab{% endset %}{{ x }}", "{% set x | upper | replace('A', '-') %}ab{% endset %}{{ x }}", "{% set x | length %}abc{% endset %}{{ x + 1 }}", "{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ x }}{{ y }}", "{% set x, y %}ab{% endset %}{{ x }}{{ y }}", "{% set ns = namespace() %}{% set ns.x %}ab{% endset %}{{ ns.x }}",
    "{% set x %}", "{% set %}", "{% set x = %}", "{% set 1 = 2 %}", "{% set true = 1 %}", "{% set x = 1 if 0 %}{{ x is defined }}", "{% set x = x %}{{ x is defined }}", "{% set x = [1, 2] %}{% set y = x %}{{ y is sameas x }}",
    "{% macro m() %}a{% endmacro %}{{ m() }}", "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(a=4) }}{{ m(b=5, a=6) }}{{ m() }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}",
    "{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}", "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m(a=b, b=1) %}{{ a }}{{ b }}{% endmacro %}{{ m() }}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m(a, a) %}{% endmacro %}", "{% macro m(a.b) %}{% endmacro %}", "{% macro m %}{% endmacro %}",
    "{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}", "{% set x = 1 %}{% macro m() %}{{ x }}{% set x = 2 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}", "{% macro m() %}{{ s }}{% endmacro %}{{ m() }}", "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "{{ m() }}{% macro m() %}{% endmacro %}",
    "{% macro m(x) %}{{ x }}{% endmacro %}{{ m }}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}", "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}x{% endcall %}", "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) m() %}{{ a }}{{ b }}{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% macro m() %}{% if caller %}{{ caller() }}{% else %}none{% endif %}{% endmacro %}{{ m() }}{% call m() %}c{% endcall %}",
    "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}", "{% macro m(caller) %}{{ caller() }}{% endmacro %}{% call m() %}y{% endcall %}", "{% macro m(caller=none) %}{{ caller() }}{% endmacro %}{% call m() %}y{% endcall %}", "{% macro a() %}[{{ caller() }}]{% endmacro %}{% macro b() %}({{ caller() }}){% endmacro %}{% call a() %}{% call b() %}x{% endcall %}{% endcall %}", "{% call s.upper() %}{% endcall %}", "{% call range(3) %}{% endcall %}", "{% call 1 %}{% endcall %}", "{% call m %}{% endcall %}",
    "{% macro m(x) %}{{ x|upper }}{% endmacro %}{{ ls|map('string')|join }}{{ m('a')|lower }}{{ m('b') ~ m('c') }}", "{% macro m() %}{% endmacro %}{{ m() is string }}{{ m is callable }}", "{% for x in l %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro outer() %}{% macro inner() %}i{% endmacro %}{{ inner() }}{% endmacro %}{{ outer() }}{{ inner }}",
    "{% macro m(l) %}{% for x in l %}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}{% endmacro %}{{ m([1, 2]) }}", "{% macro m(a, b='x', *c) %}{% endmacro %}", "{% macro m(x) -%}\n  {{ x }}\n{%- endmacro %}[{{ m(1) }}]", "{% macro m(kwargs) %}{{ kwargs }}{% endmacro %}{{ m(1) }}", "{% macro m() %}{{ kwargs.x }}{% endmacro %}{{ m(x=1) }}", "{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(1) }}", "{% macro m() %}{{ varargs }}{% endmacro %}{{ m(x=1) }}",
    "{% filter upper %}a{{ s }}{% endfilter %}", "{% filter replace('a', 'b')|upper %}aa{% endfilter %}", "{% filter length %}abc{% endfilter %}", "{% filter nofilter %}{% endfilter %}", "{% filter trim %}\n x \n{% endfilter %}|", "{% filter indent(2) %}a\nb{% endfilter %}",
    "{% with %}{% set x = 1 %}{{ x }}{% endwith %}{{ x }}", "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}", "{% with a = 1, b = a %}{{ b }}{% endwith %}", "{% with a, b = 1 %}{% endwith %}", "{% with (a, b) = (1, 2) %}{{ a }}{{ b }}{% endwith %}", "{% with s = s|upper %}{{ s }}{% endwith %}{{ s }}", "{% with a = 1 %}{% with a = 2 %}{{ a }}{% endwith %}{{ a }}{% endwith %}",
    "{% generation %}a{{ s }}{% endgeneration %}", "a\n  {% generation %}\nb\n  {% endgeneration %}\nc", "{% for x in l %}{% generation %}{{ x }}{% set y = x %}{% endgeneration %}{{ y }}{% endfor %}", "{% generation %}", "{% for x in l %}{% generation %}{% break %}{% endgeneration %}{% endfor %}", "{%- generation -%} x {%- endgeneration -%} y",
    "{% print 1, 2 %}", "{% print s %}", "{% print %}", "{% do l.append(1) %}", "{% debug %}", "{% trans %}{% endtrans %}",
    "{% autoescape true %}{{ html }}{{ html|safe }}{% endautoescape %}{{ html }}", "{% autoescape true %}{{ html ~ '<' }}{{ (html|safe) ~ '<' }}{% endautoescape %}", "{% autoescape false %}{{ html }}{% endautoescape %}", "{% autoescape true %}{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m('<') }}{% set q %}<b>{% endset %}{{ q }}{{ [html]|join('<') }}{{ html|replace('b', '<') }}{% endautoescape %}",
    "{% block a %}x{% endblock %}", "{% block a %}x{{ s }}{% endblock a %}{{ self.a() }}", "{% block a %}{% endblock %}{% block a %}{% endblock %}", "{% set x = 1 %}{% block a %}{{ x }}{% endblock %}", "{% for x in l %}{% block a %}{{ x }}{% endblock %}{% endfor %}", "{% for x in l %}{% block a scoped %}{{ x }}{{ loop.index }}{% endblock %}{% endfor %}", "{% block a required %}{% endblock %}", "{% block a required %}x{% endblock %}", "{% block a %}{{ super() }}{% endblock %}", "{% block a %}{% set y = 1 %}{{ y }}{% endblock %}{{ y }}", "{% if 1 %}{% set x = 1 %}{% endif %}{% block a %}{{ x }}{% endblock %}", "{{ self.zz }}", "{{ self.zz() }}", "{% block a-b %}{% endblock %}", "{% block 1 %}{% endblock %}",
    "{% include 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}", "{% if 0 %}{% include 'x' %}{% endif %}ok", "{% include %}", "{% from 'x' import _y %}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}{{ c.items }}{{ c.pos }}", "{% set j = joiner() %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}", "{% set j = joiner('|') %}{{ j() }}{{ j() }}{{ j.sep }}{{ j.used }}", "{% for x in cycler(1) %}{% endfor %}",
    "{% set g = l|map('string') %}{{ g|list }}{{ g|list }}", "{% set g = l|select('odd') %}{% if g %}y{% endif %}{{ g|first }}{{ g|list }}", "{% set g = users|map(attribute='zz.y') %}ok", "{{ users|map(attribute='zz.y')|list }}", "{% set it = d|items %}{% for k, v in it %}{{ k }}{% endfor %}{% for k, v in it %}{{ k }}{% endfor %}", "{{ (l|batch(2))|first }}", "{% for r in l|batch(2) %}{{ r }}{{ loop.last }}{% endfor %}", "{{ (l|map('string')) is defined }}", "{% set r = l|reverse %}{{ r|list }}{{ r|list }}",
    "{% if s|nofilter %}{% endif %}", "{% if 0 %}{{ s|nofilter }}{% endif %}ok", "{% if 0 %}{{ s is notest }}{% endif %}ok", "{{ s|nofilter if 0 else 'ok' }}", "{% if 0 %}{% for x in l %}{{ x|nofilter }}{% endfor %}{% endif %}ok", "{% macro m() %}{{ s|nofilter }}{% endmacro %}ok", "{% for x in empty %}{{ x|nofilter }}{% endfor %}ok",
    "{% for x in l -%}\n  {{ x }}\n{%- endfor %}", "{% for x in l %}\n  {{ x }}\n{% endfor %}", "{%- for x in l %}\n- {{ x }}\n{%- endfor %}\n", "<|im_start|>{{ s }}\n{% for m in users %}\n  <|{{ m.name }}|>\n{% endfor %}\n<|end|>",
    "{{ raise_exception('bad ' ~ n) }}", "{% if n > 1 %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}", "{% set x = raise_exception('é\\n') %}", "{{ '{{' }}{{ '%}' }}{{ '}}' }}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{{ {'a': 1}}}", "{{ [1, 2}} ", "{{ (1] }}", "{{ a) }}",
    "{% set messages = users[1:] if users[0].name == 'Bob' else users %}{{ messages|length }}", "{% set x = namespace(found=false) %}{% for u in users %}{% if u.age == 25 %}{% set x.found = true %}{% endif %}{% endfor %}{{ x.found }}", "{{ users[::-1][0].name }}", "{% for m in users[::-1] %}{% set i = (users|length - 1) - loop.index0 %}{{ i }}{{ m.name }} {% endfor %}",
    "{{ users[0].tags is defined and users[0].tags }}", "{{ users[2].tags is defined }}", "{{ users[0]['name'].split('o')[-1].lstrip('b') }}", "{{ '</think>' in s }}", "{{ (s ~ '</think>rest').split('</think>')[-1].lstrip('\\n') }}", "{{ s is string and s is not mapping and s is iterable }}", "{{- '<|im_start|>' + users[0].name + '\\n' -}}\n x",
    "{% for t in users %}{{ t|tojson }}\n{% endfor %}", "{{ users[0].tags|map('upper')|join(', ') }}", "{%- if s %}\n    {{- 'a' }}\n{%- endif %}\n", "{%- macro render(x, lvl=0) -%}\n{%- if x is mapping -%}{{ '{' }}{%- for k, v in x|dictsort -%}{{ k }}:{{ render(v, lvl + 1) }}{%- if not loop.last -%},{%- endif -%}{%- endfor -%}{{ '}' }}\n{%- elif x is iterable and x is not string -%}[{%- for i in x -%}{{ render(i) }} {%- endfor -%}]\n{%- else -%}{{ x }}{%- endif -%}\n{%- endmacro -%}\n{{ render(d) }}{{ render(args) }}",
    "{{ d.items()|list|length }}{% for k, v in args.items() if k != 'n' %}{{ k }}{{ loop.index }}{% endfor %}", "{% for k, v in d|items %}{{ loop.length }}{% endfor %}", "{{ ls|sort|first }}{{ ls|sort|last }}", "{% set x = {'a': 1} %}{% set x = dict(x, b=2) %}{{ x }}", "{{ dict(d, **{'z': 1})|length }}", "{% for key in ['a', 'q'] %}{{ d[key] }}{{ key in d }}{% endfor %}",
    "{{ 'a' if missing else 'b' }}{{ 'a' if not missing }}", "{{ missing.foo if missing is defined }}", "{{ [1, 2, 3]|select('in', [1, 3])|list }}", "{{ 5 * '-' ~ '>' }}", "{% if not loop is defined %}x{% endif %}", "{% for i in range(3) %}{% for j in range(i) %}{{ i }}{{ j }} {% endfor %}{% endfor %}",
    "{% set a = 1 %}{% macro m() %}{{ a }}{% endmacro %}{% set a = 2 %}{{ m() }}", "{% for x in l %}{% set ns2 = namespace(v=x) %}{{ ns2.v }}{% endfor %}", "{% macro m(x) %}{% set ns.v = x %}{% endmacro %}{% set ns = namespace(v=0) %}{{ m(5) }}{{ ns.v }}",
    "{% if missing is defined %}a{% elif missing2 %}b{% else %}c{% endif %}", "{% if 1 %}{% if 0 %}a{% else %}b{% endif %}{% endif %}", "{% set x = 1 %}{% if 0 %}{% elif 1 %}{% set x = 2 %}{% else %}{% set x = 3 %}{% endif %}{{ x }}", "{% if 0 %}{% set y = 1 %}{% elif y is defined %}a{% else %}b{% endif %}{{ y }}",
    "{{ 1\n+\n2 }}", "{{ s\n|\nupper }}", "{%\nif\n1\n%}x{%\nendif\n%}", "{{\t1\t}}", "{{1}}{{2}}", "{%set x=1%}{{x}}", "{% set x = '{{ y }}' %}{{ x }}", "{{ \"a\nb\" }}", "{{ 'a\r\nb' }}",
    "line {{ n }}\n{{ missing.attr }}", "{{ namespace is defined }}", "{% for x in l %}{{ loop.index }}{% endfor %}{{ loop }}", "{% set loop = 5 %}{{ loop }}", "{{ caller is defined }}", "{% set self = 1 %}{{ self }}",
]


def cases():
    return ["{{ " + expression + " }}" for expression in EXPRESSIONS] + STATEMENTS
