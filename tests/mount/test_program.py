"""The programs: odd places, options, wrong arguments."""

import os
import shutil
import subprocess

import pytest

from mounting import (BUILD, FINE, NOT_MOUNTABLE, USAGE, Mount, cat, edit, environment,
                      mount_number, names_in, run, wait_until, weightctl, weightfs)


# --------------------------------------------------------------------------------- odd surroundings

@pytest.mark.parametrize('name', ['with space', 'comma,ro', 'größe', 'back\\slash', "quote'"])
def test_paths_with_odd_characters(plain, tmp_path, name):
    model, mountpoint = tmp_path / name / 'model', tmp_path / f'mount {name}'
    shutil.copytree(plain.parent, model.parent)
    for path in model.parent.iterdir():
        path.rename(path.with_name(path.name.replace('plain', 'model')))
    mountpoint.mkdir()
    with Mount(model, at=mountpoint) as m:
        assert m.status()['model'] == str(model)
        content = edit(m.file('tiny'))
    assert cat(model, 'tiny') == content


def test_relative_paths(plain, tmp_path):
    (tmp_path / 'm').mkdir()
    done = weightfs('plain/plain', 'm', cwd=tmp_path)
    assert done.returncode == FINE, done.stderr
    assert (tmp_path / 'm/variables/tiny').stat().st_size == 20
    done = weightfs('-u', 'm/', cwd=tmp_path)
    assert (done.returncode, done.stderr) == (FINE, '')


@pytest.mark.parametrize('inside', ['', 'm', 'm/variables'])
def test_a_mountpoint_on_or_in_the_model_itself(copy_of, inside):
    model = copy_of('mlp')
    (model / inside).mkdir(exist_ok=True, parents=True)
    before = {name for name in names_in(model) if name != 'fingerprint.pb'}
    with Mount(model, at=model / inside) as m:
        content = edit(m.file('layer_with_weights-0/bias'))
    assert names_in(model) == before
    assert cat(model, 'dense_1/bias') == content


@pytest.mark.parametrize('inside', ['variables', 'variables/m', 'assets'])
def test_a_mountpoint_that_would_hide_the_model_is_refused(copy_of, inside):
    model = copy_of('vocab')
    (model / inside).mkdir(exist_ok=True)
    done = weightfs(model, model / inside)
    assert done.returncode == NOT_MOUNTABLE
    assert 'part of the model' in done.stderr and len(done.stderr.splitlines()) == 1
    assert mount_number(model / inside) is None


def test_a_model_behind_a_symbolic_link(copy_of, tmp_path):
    model = copy_of('mlp')
    (tmp_path / 'link').symlink_to(model)
    with Mount(tmp_path / 'link') as m:
        content = edit(m.file('layer_with_weights-0/bias'))
    assert (tmp_path / 'link').is_symlink()
    assert cat(model, 'dense_1/bias') == content


def test_a_foreground_daemon_logs_to_stderr(plain, tmp_path):
    (tmp_path / 'm').mkdir()
    with subprocess.Popen([BUILD / 'weightfs', '-f', plain, tmp_path / 'm'], env=environment(),
                          stderr=subprocess.PIPE, text=True) as daemon:
        wait_until(lambda: os.path.ismount(tmp_path / 'm'), 'it is mounted')
        edit(tmp_path / 'm/variables/tiny')
        assert weightfs('-u', tmp_path / 'm').returncode == FINE
        assert 'saved' in daemon.communicate(timeout=60)[1]
        assert daemon.returncode == FINE


@pytest.mark.parametrize('options', [['-s'], ['-o', 'rw,noatime,nosuid,nodev,_netdev'],
                                     ['-o', 'readahead=128']])
def test_harmless_options(plain, tmp_path, options):
    (tmp_path / 'm').mkdir()
    done = weightfs(plain, tmp_path / 'm', *options)
    assert done.returncode == FINE, done.stderr
    edit(tmp_path / 'm/variables/tiny')
    assert weightfs('-u', tmp_path / 'm').returncode == FINE


# -------------------------------------------------------------------------------- wrong arguments

def words(value):
    return ' '.join(value) if isinstance(value, list) else None


WRONG = [
    ([], USAGE), (['MODEL'], USAGE), (['MODEL', 'M', 'more'], USAGE), (['-u'], USAGE),
    (['-u', 'M', 'more'], USAGE), (['--explode'], USAGE), (['-x', 'MODEL', 'M'], USAGE),
    (['MODEL', 'M', '-o'], USAGE), (['MODEL', 'M', '-o', 'explode'], USAGE),
    (['MODEL', 'M', '-o', 'uid=me'], USAGE), (['MODEL', 'M', '-o', 'umask=9'], USAGE),
    (['-u', 'M'], USAGE), (['-u', '/no/such'], USAGE), (['/no/such', 'M'], NOT_MOUNTABLE),
    (['M', 'M'], NOT_MOUNTABLE), (['MODEL', '/no/such'], NOT_MOUNTABLE),
    (['MODEL', 'net.h5'], NOT_MOUNTABLE), (['net.h5', 'M'], NOT_MOUNTABLE),
    (['net.keras', 'M'], NOT_MOUNTABLE), (['net.cpb', 'M'], NOT_MOUNTABLE),
]


@pytest.mark.parametrize('arguments, code', WRONG, ids=words)
def test_wrong_arguments_are_told_in_a_sentence(plain, tmp_path, arguments, code):
    (tmp_path / 'm').mkdir()
    for name in ('net.h5', 'net.keras', 'net.cpb'):
        (tmp_path / name).write_bytes(b'?')
    words = {'MODEL': plain, 'M': tmp_path / 'm', 'net.h5': tmp_path / 'net.h5'}
    done = weightfs(*[words.get(word, word) for word in arguments], cwd=tmp_path)
    for path in tmp_path.iterdir():
        if mount_number(path) is not None:
            run('umount', '-l', path)
    assert (done.returncode, done.stdout) == (code, '')
    lines = done.stderr.splitlines()
    assert lines[0].startswith('weightfs: ') and len(lines[0]) > 20
    assert len(lines) <= (2 if code == USAGE else 1)


@pytest.mark.parametrize('arguments, code', [
    ([], USAGE), (['explode'], USAGE), (['ls'], USAGE), (['ls', '-x', 'MODEL'], USAGE),
    (['cat', 'MODEL'], USAGE), (['check'], USAGE), (['check', 'MODEL', 'more'], USAGE),
    (['ls', '/no/such'], NOT_MOUNTABLE), (['cat', '/no/such', 'x'], NOT_MOUNTABLE),
    (['check', '/no/such'], NOT_MOUNTABLE)], ids=words)
def test_wrong_arguments_of_weightctl_are_told_in_a_sentence(plain, arguments, code):
    done = weightctl(*[plain if word == 'MODEL' else word for word in arguments])
    assert (done.returncode, done.stdout) == (code, '')
    assert 1 <= len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize('program', [weightfs, weightctl])
def test_help_and_version_are_on_stdout(program):
    for option in ('-h', '--help', '-V', '--version'):
        done = program(option)
        assert (done.returncode, done.stderr) == (FINE, '')
        assert done.stdout.startswith('weight' if 'V' in option or 'v' in option else 'usage: ')


# --------------------------------------------------------------------------------- weightctl info

def info_of(model):
    done = weightctl('info', model)
    assert (done.returncode, done.stderr) == (FINE, '')
    return [line.split(None, 1) if line[:1] == ' ' else [line[:22].strip(), line[22:].strip()]
            for line in done.stdout.splitlines()], done.stdout


def test_info_says_what_model_json_says(copy_of):
    found, _ = info_of(copy_of('multi'))
    assert ['kind', 'TensorFlow 1 SavedModel'] in found
    assert ['signatures', 'both, serving_default'] in found
    assert ['object based', 'no'] in found
    assert ['object_graph.json', 'the keys are names, as TensorFlow 1 has them'] in found


def test_info_counts_by_dtype(copy_of):
    _, text = info_of(copy_of('mlp'))
    table = [line.split() for line in text.partition('\n\n')[2].splitlines()]
    assert table == [['dtype', 'tensors', 'elements', 'bytes'],
                     ['float32', '23', '165155', '660620'], ['int64', '1', '1', '8']]


def test_info_of_each_checkpoint_in_a_folder(copy_of):
    _, text = info_of(copy_of('train'))
    assert [line for line in text.splitlines() if line.endswith(':')] == [
        'ckpt-3:', 'ckpt-4:', 'ckpt-5:']


def test_info_of_a_model_without_tensors(copy_of):
    _, text = info_of(copy_of('novars'))
    assert 'tensors                0' in text and 'dtype' not in text
