"""What a damaged or hostile model may cost: a sentence, a variable, never the daemon."""

import errno
import json
import shutil

import pytest

from models import parse_tsv
from mounting import (DATA, FINDING, FINE, NOT_MOUNTABLE, SAVE_FAILED, Mount, assert_sound, edit,
                      snapshot, weightctl, weightfs)

BROKEN = DATA / 'broken'
EXPECT = json.loads((BROKEN / 'expect.json').read_text())
GRAPH = '_CHECKPOINTABLE_OBJECT_GRAPH'


def names(*outcomes):
    return [name for name, what in EXPECT.items() if what['outcome'] in outcomes]


def spoilt(name):
    """The variables that have files, and cannot be read."""
    return set(EXPECT[name]['variables']) - {GRAPH}


@pytest.fixture
def broken(tmp_path):
    def copy(name):
        shutil.copytree(BROKEN / name, tmp_path / name)
        return tmp_path / name
    return copy


def files(m):
    """The files of all variables, by name."""
    rows = parse_tsv((m.path / 'tensors.tsv').read_bytes())
    return {name: m.path / row['path'] for name, row in rows.items()}


def failures(m):
    """The errno of each variable that cannot be read."""
    found = {}
    for name, path in files(m).items():
        try:
            path.read_bytes()
        except OSError as error:
            found[name] = error.errno
    return found


@pytest.mark.parametrize('name', names('refused'))
def test_a_model_that_cannot_be_trusted_is_refused(broken, name, tmp_path):
    model, mountpoint = broken(name), tmp_path / 'm'
    mountpoint.mkdir()
    done = weightfs(model, mountpoint)
    assert done.returncode == NOT_MOUNTABLE
    assert len(done.stderr.splitlines()) == 1
    assert 'model.index' in done.stderr or 'saved_model.pb' in done.stderr


@pytest.mark.parametrize('name', names('refused'))
def test_check_names_the_file_that_cannot_be_trusted(broken, name):
    done = weightctl('check', broken(name))
    assert done.returncode == FINDING
    assert 'model.index' in done.stdout or 'saved_model.pb' in done.stdout


@pytest.mark.parametrize('name', names('refused'))
def test_ls_and_cat_refuse_it_too(broken, name):
    model = broken(name)
    for command in (['ls', model], ['ls', '-l', model], ['cat', model, 'a']):
        done = weightctl(*command)
        assert (done.returncode, done.stdout) == (NOT_MOUNTABLE, '')
        assert done.stderr


@pytest.mark.parametrize('name', names('damaged'))
def test_damage_costs_the_damaged_variables_only(broken, name):
    with Mount(broken(name)) as m:
        assert set(files(m)) >= {'a', 'b', 'p', 's'}
        assert failures(m) == dict.fromkeys(spoilt(name), errno.EIO)


@pytest.mark.parametrize('name', [n for n in names('damaged', 'finding') if 'slice' in n])
def test_slices_are_no_variables_whatever_is_wrong_with_theirs(broken, name):
    model = broken(name)
    assert weightctl('ls', model).stdout.split() == [f'variables/{x}' for x in 'abps']
    done = weightctl('check', model)
    assert '4 tensors checked' in done.stderr and '\\x' not in done.stdout


@pytest.mark.parametrize('name', names('damaged'))
def test_the_log_names_what_is_damaged(broken, name):
    with Mount(broken(name)) as m:
        failures(m)
        text = m.full_log() + m.said
        assert all(variable in text for variable in spoilt(name))
        assert spoilt(name) or 'graph' in text


@pytest.mark.parametrize('name', [n for n in names('damaged') if 'a' in spoilt(n)])
def test_a_damaged_variable_cannot_be_written(broken, name):
    with Mount(broken(name)) as m, pytest.raises(OSError) as caught:
        m.file('a').open('r+b')
    assert caught.value.errno == errno.EIO


@pytest.mark.parametrize('name', names('damaged', 'finding'))
def test_check_names_what_is_damaged(broken, name):
    done = weightctl('check', broken(name))
    assert done.returncode == FINDING
    assert all(variable in done.stdout for variable in spoilt(name))
    assert spoilt(name) or 'graph' in done.stdout


@pytest.mark.parametrize('name', names('damaged', 'finding'))
def test_cat_of_a_damaged_variable_fails(broken, name):
    model = broken(name)
    for variable in spoilt(name) if name in names('damaged') else ():
        done = weightctl('cat', model, variable)
        assert done.returncode == FINDING and done.stderr


@pytest.mark.parametrize('name', names('finding', 'fine'))
def test_what_only_a_checksum_tells_mounts_and_reads(broken, name):
    with Mount(broken(name)) as m:
        assert failures(m) == {}


def test_check_finds_nothing_in_the_model_they_are_all_made_from(broken):
    done = weightctl('check', broken('valid'))
    assert (done.returncode, done.stdout) == (FINE, '')


# A small model is rewritten whole; what is wrong only by its checksum is then in the way.
IN_THE_WAY = {'data-crc': 'a', 'slice-crc': 'p', 'string-lengths-past-end': 's',
              'string-lengths-crc': 's', 'string-varint-11-bytes': 's', 'string-crc': 's'}


@pytest.mark.parametrize('name', [n for n in names('damaged', 'finding')
                                  if 'b' not in spoilt(n) and n not in IN_THE_WAY])
def test_a_sound_variable_of_a_damaged_model_can_be_edited_and_saved(broken, name):
    model, content = broken(name), b'\x07' * 12
    with Mount(model) as m:
        before = failures(m)
        files(m)['b'].write_bytes(content)
    with Mount(model) as m:
        assert files(m)['b'].read_bytes() == content
        assert failures(m) == before
    assert weightctl('check', model).returncode == FINDING


@pytest.mark.parametrize('name, variable', IN_THE_WAY.items())
def test_damage_is_never_copied_under_a_fresh_checksum(broken, name, variable):
    """The save fails and names it; overwritten whole, it is in nobody's way."""
    model = broken(name)
    before = snapshot(model)
    with Mount(model) as m:
        content = edit(files(m)['b'])
        code, said = m.unmount()
        assert code == SAVE_FAILED
        assert 'NOT saved' in said and f"'{variable}'" in said
        assert {path: stat for path, stat in snapshot(model).items() if path in before
                and path.suffix} == {p: s for p, s in before.items() if p.suffix}
        path = files(m)[variable]
        path.write_bytes(b'["x", "y"]' if variable == 's' else bytes(path.stat().st_size))
    with Mount(model) as m:
        assert files(m)['b'].read_bytes() == content
        assert failures(m) == {}
    assert_sound(model)
