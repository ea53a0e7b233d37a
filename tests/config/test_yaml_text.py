"""A config is read as plain values: nothing in it runs, reads the environment, or takes forever."""

import pytest

from kecor.config import load_config
from kecor.config.layers import find_config, merge_all, read_layers
from kecor.config.yaml_text import parse_yaml
from kecor.errors import ConfigError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 10)
)


def test_plain_values_are_read():
    text = "a: 1\nb: [1e-3, 1.5E+2, -2, .5, text, true, null]\nc: &c {d: '1e-3'}\ne: *c\nlow: -1e5\n"
    assert parse_yaml(text, "t") == {
        "a": 1,
        "b": [0.001, 150.0, -2, 0.5, "text", True, None],
        "c": {"d": "1e-3"},
        "e": {"d": "1e-3"},
        "low": -1e5,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object/apply:os.system ['touch {mark}']", "is not allowed"),
        ("a: !!python/name:os.system ''", "is not allowed"),
        ("!!python/object/new:tuple [[1]]", "is not allowed"),
        ("a: !mine {}", "is not allowed"),
        ("a: !!binary aGk=", "binary"),
        ("a: !!set {b, c}", ""),
        ("a: 2020-01-01", "timestamp"),
        (BOMB, "stands for more than"),
        ("a: &a [*a]", "contains itself"),
        ("a: " + "[" * 40 + "]" * 40, "deep"),
        ("a: " + "[" * 20000, ""),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' is given twice"),
        ("a: {b: 1, b: 2}", "the key 'b' is given twice"),
        ("1: a", "the key '1' is no text"),
        ("? [a, b]\n: c", "is no text"),
        ("{{$HOME}}", "is no text"),
        ("a: [1, 2", "line"),
        ("a: b: c", "line 1"),
        ("a: 1\n---\nb: 2", ""),
        ("a: \x00", ""),
    ],
)
def test_anything_else_is_refused_in_one_line(text, message, tmp_path):
    mark = tmp_path / "mark"
    path = tmp_path / "config.yaml"
    path.write_text(text.replace("{mark}", str(mark)))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_the_same_holds_for_bases_options_and_methods(tmp_path):
    evil = tmp_path / "evil.yaml"
    evil.write_text("acquisition: !!python/object/apply:os.system [ls]\n")
    main = tmp_path / "main.yaml"
    main.write_text("_base_: evil.yaml\n")
    for call in (
        lambda: load_config(main),
        lambda: load_config("kitti/second_small.yaml", ["seed=!!python/object/apply:os.getpid []"]),
        lambda: load_config("kitti/second_small.yaml", method=str(evil)),
    ):
        with pytest.raises(ConfigError, match="is not allowed"):
            call()


def test_the_environment_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("KECOR_SECRET", "open sesame")
    path = tmp_path / "config.yaml"
    path.write_text("data: {root: '{{$KECOR_SECRET}}'}\n")
    assert merge_all(read_layers(path)) == {"data": {"root": "{{$KECOR_SECRET}}"}}


@pytest.mark.parametrize("text", ["", "# nothing\n", "[1, 2]", "text", "3"])
def test_a_file_without_sections_is_named(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.yaml: (is empty|holds a \w+); expected sections"):
        load_config(path)


def test_python_files_are_no_configs(tmp_path):
    mark = tmp_path / "mark"
    evil = tmp_path / "evil.py"
    evil.write_text(f"open({str(mark)!r}, 'w')\n")
    with pytest.raises(ConfigError, match=r"evil\.py: is no YAML file"):
        load_config(evil)
    main = tmp_path / "main.yaml"
    main.write_text("_base_: [evil.py]\n")
    with pytest.raises(ConfigError, match=r"main\.yaml: _base_: evil\.py: is no YAML file"):
        load_config(main)
    assert not mark.exists()


def test_bases_merge_in_order_and_a_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "a.yaml").write_text("x: {p: 1, q: 1}\ny: {type: one, k: 1}\nz: [1, 2]\nw: {a: 1}\n")
    (tmp_path / "b.yaml").write_text("x: {q: 2}\n")
    (tmp_path / "main.yaml").write_bytes(
        b"\xef\xbb\xbf_base_: [a.yaml, b.yaml]\ny: {type: two}\nz: [3]\nw: {_delete_: true, b: 2}\n"
    )
    layers = read_layers(tmp_path / "main.yaml")
    assert merge_all(layers) == {"x": {"p": 1, "q": 2}, "y": {"type": "two"}, "z": [3], "w": {"b": 2}}


def test_missing_cyclic_and_wrong_bases_are_named(tmp_path):
    main = tmp_path / "main.yaml"
    main.write_text("_base_: none.yaml\n")
    with pytest.raises(ConfigError, match=r"main\.yaml: _base_: .*none\.yaml: no such config file"):
        read_layers(main)
    (tmp_path / "other.yaml").write_text("_base_: main.yaml\n")
    main.write_text("_base_: other.yaml\n")
    with pytest.raises(ConfigError, match=r"is its own _base_: main\.yaml -> other\.yaml -> main\.yaml"):
        read_layers(main)
    main.write_text("_base_: {a: 1}\n")
    with pytest.raises(ConfigError, match="expected the path of a config file"):
        read_layers(main)
    with pytest.raises(ConfigError, match="no such config file"):
        find_config("nowhere/at_all.yaml")
