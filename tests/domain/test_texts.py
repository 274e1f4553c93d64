"""Texts from others: one line for what is wrong, no answer where there are two, and no small text that grows."""

import time

import pytest

from medseg.domain.texts import parse_json, parse_table, parse_yaml, plain_json

#: Nine times nine, ten levels deep: 10^9 values, and as many pairs where mappings are merged.
ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)
MERGED = "a: &a {k: v}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{','.join(['*' + chr(97 + n)] * 9)}]}}\n" for n in range(9)
)

#: Name, text, what is said.
YAML = [
    ("a bomb of aliases", ALIASES, "aliases are not taken; write the value out in line 2"),
    ("a bomb of merged mappings", MERGED, "aliases are not taken"),
    ("a list in itself", "&a [*a]", "aliases are not taken"),
    ("brackets", "[" * 20_000, "nested too deeply"),
    ("braces", "{a: " * 20_000, "nested too deeply"),
    ("dashes", "- " * 20_000, "nested too deeply"),
    ("a key twice", "1: liver\n1: spleen\n", "key '1' stands twice in one mapping in line 1"),
    ("a key twice, deeper", "labels: {a: 1, b: 2, a: 3}", "key 'a' stands twice"),
    ("endless digits", "1: " + "9" * 6000, "a number of 6000 characters"),
    ("endless hexadecimal digits", "1: 0x" + "f" * 100_000, "a number of 100002 characters"),
    ("endless base 60", "1: " + "1:" * 200_000 + "1", "a number of 400001 characters"),
    ("no number", "1: .nan", "no finite number"),
    ("infinity as a key", ".inf: x", "no finite number"),
    ("a day that there is not", "1: 2026-99-99", "month must be in 1..12"),
    ("no whole number", "1: !!int abc", "invalid literal"),
    ("bytes", '1: !!binary "%%%"', "bytes are not taken in line 1"),
    ("code", '1: !!python/object/apply:os.system ["true"]', "could not determine a constructor"),
    ("two documents", "1: a\n---\n2: b\n", "but found another document"),
    ("a list as a key", "? [1, 2]\n: x", "unhashable key"),
    ("a control character", "1: \x00", "special characters are not allowed"),
]

JSON = [
    ("a key twice", '{"1": "liver", "1": "spleen"}', "key '1' stands twice in one object"),
    ("a key twice, deeper", '[{"a": {"b": 1, "b": 1}}]', "key 'b' stands twice"),
    ("no number", '{"1": NaN}', "NaN is no number"),
    ("infinity", "[-Infinity]", "-Infinity is no number"),
    ("beyond all numbers", "[1e999]", "1e999 is beyond all numbers"),
    ("endless digits", "[" + "9" * 6000 + "]", "4300 digits"),
    ("brackets", "[" * 100_000, "nested too deeply"),
    ("cut", '{"a": ', "Expecting value"),
    ("not UTF-8", b'{"a": "\xff"}', "can't decode"),
]


@pytest.mark.parametrize(("text", "said"), [row[1:] for row in YAML], ids=[row[0] for row in YAML])
def test_yaml_that_is_refused(text: str, said: str) -> None:
    begun = time.process_time()
    with pytest.raises(ValueError, match=said) as found:
        parse_yaml(text)
    assert "\n" not in str(found.value)
    assert len(str(found.value)) < 250
    assert time.process_time() - begun < 20  # minutes, or for ever, before


@pytest.mark.parametrize(("text", "said"), [row[1:] for row in JSON], ids=[row[0] for row in JSON])
def test_json_that_is_refused(text: str | bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said) as found:
        parse_json(text)
    assert "\n" not in str(found.value)
    assert len(str(found.value)) < 250
    with pytest.raises(ValueError, match=said):
        plain_json(text if isinstance(text, bytes) else text.encode())


#: Text, and the values that it is for a person.
PLAIN = [
    ("a: 1\nb: [2.5, -3, 0x10, 1_000]\nc: {d: yes, e: null}", {"a": 1, "b": [2.5, -3, 16, 1000], "c": {"d": True, "e": None}}),  # noqa: E501
    ("1: liver\n'1': spleen", {1: "liver", "1": "spleen"}),
    ("- a: 1\n- a: 2", [{"a": 1}, {"a": 2}]),
    ("a: &name {b: 1}", {"a": {"b": 1}}),
    ("", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values"), PLAIN)
def test_yaml_that_is_read(text: str, values: object) -> None:
    assert parse_yaml(text) == values


def test_json_that_is_read() -> None:
    text = b'{"a": [1, 2.5, 1e3, null, true], "b": {"a": "\\u00e4"}}'
    assert parse_json(text) == {"a": [1, 2.5, 1000.0, None, True], "b": {"a": "ä"}}
    assert plain_json(text) is text


def test_json_of_others_may_hold_what_is_no_number_but_nothing_twice() -> None:
    """Plans of nnU-Net: NaN where nothing was measured."""
    assert str(parse_json(b'{"median": NaN}', finite=False)) == "{'median': nan}"
    with pytest.raises(ValueError, match="'a' stands twice"):
        parse_json('{"a": NaN, "a": 1}', finite=False)


@pytest.mark.parametrize("head", ["low,low", "low, Low ", "a,low,b,LOW"])
def test_a_table_with_two_columns_of_one_name_is_refused(head: str) -> None:
    with pytest.raises(ValueError, match="column 'low' stands twice"):
        parse_table(f"{head}\n1,2,3,4\n", ",")


def test_a_table_is_read_by_the_names_of_its_columns() -> None:
    rows = parse_table('a;b;;\n1;"x;\ny"\n\n2;z;;;5\n', ";", rest="more")
    assert [(row["a"], row["b"], row.get("more")) for row in rows] == [
        ("1", "x;\ny", None),
        ("2", "z", ["5"]),
    ]
