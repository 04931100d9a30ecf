"""The manuals and --help name the same options and commands."""

import re

import pytest

from mounting import TESTS, weightctl, weightfs

MANUALS = TESTS.parent / 'fs'


def help_of(program):
    return program('--help').stdout


def items(manual):
    """The heads of the manual's list items, in words: .It Fl h , Fl -help -> Fl h Fl -help."""
    text = (MANUALS / manual).read_text()
    return re.findall(r'^\.It (.*)$', text, re.M)


def flags_in(text):
    """Fl l -> -l, Fl -dry-run -> --dry-run."""
    return {f'-{flag}' for flag in re.findall(r'\bFl (-?[\w-]+)', text)}


def synopsis(manual):
    text = (MANUALS / manual).read_text()
    return re.search(r'^\.Sh SYNOPSIS\n(.*?)^\.Sh ', text, re.M | re.S)[1]


def words_of(pattern, text):
    return set(re.findall(pattern, text, re.M))


def test_options_of_weightfs():
    listed = words_of(r'(?<![\w-])(--?[a-zA-Z][\w-]*)', '\n'.join(
        line.split('  ')[1] for line in help_of(weightfs).splitlines()
        if re.match(' +-', line)))
    described = set().union(*(flags_in(item) for item in items('weightfs.1')))
    assert listed | {'-o'} == described
    assert flags_in(synopsis('weightfs.1')) <= described


def test_mount_options_of_weightfs():
    text = help_of(weightfs).partition('options for -o:\n')[2]
    listed = words_of(r'([a-z_]+=?)', ' '.join(re.sub('=[A-Z]+', '=', line[:17])
                                               for line in text.splitlines()))
    described = {name for item in items('weightfs.1') if item.startswith('Cm ')
                 for name in re.findall(r'\bCm ([a-z_]+=?)', item)}
    assert len(listed) >= 10
    assert listed == described


def test_commands_of_weightctl():
    lines = [line for line in help_of(weightctl).splitlines() if re.match('  [a-z]', line)]
    described = [item for item in items('weightctl.1') if item.startswith('Cm ')]
    assert {line.split()[0] for line in lines} == {item.split()[1] for item in described}
    for line in lines:
        name, arguments = line.split()[0], re.split(' {2,}', line.strip())[1]
        item = next(item for item in described if item.split()[1] == name)
        assert words_of(r'(?<![\w-])(--?[a-z][\w-]*)', arguments) == flags_in(item), name
        assert re.search(rf'^\.Cm .*\b{name}\b', synopsis('weightctl.1'), re.M), name
    assert flags_in(synopsis('weightctl.1')) <= set().union(*map(flags_in, described))


@pytest.mark.parametrize('manual', ['weightfs.1', 'weightctl.1'])
def test_each_exit_status_is_described(manual):
    text = (MANUALS / manual).read_text()
    codes = re.search(r'^\.Sh EXIT STATUS\n(.*?)^\.Sh ', text, re.M | re.S)[1]
    listed = re.findall(r'^\.It (\d)', codes, re.M)
    known = re.findall(r'EXIT_\w+ = (\d)', (MANUALS / 'view/exit.h').read_text())
    never = {'weightfs.1': '1', 'weightctl.1': '6'}[manual]
    assert listed == [code for code in known if code != never]
