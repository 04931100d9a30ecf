"""Somebody else changes the model, or what it lies in, while it is mounted and edited."""

import contextlib
import os
import shutil
import subprocess
import threading

import pytest

from bundle import write_bundle
from fixtures import random_tensors
from mounting import (CHANGED, FINE, LEFT_OVER, SAVE_FAILED, Mount, assert_sound, cat, edit,
                      names_in, wait_until, weightctl)


@contextlib.contextmanager
def injected(m, what):
    """Something happens to system calls of the daemon; see strace(1)."""
    with subprocess.Popen(['strace', '-f', '-p', str(m.pid), '-e', what.split(':')[0].replace(
            'inject=', 'trace='), '-e', what], stderr=subprocess.PIPE, text=True) as tracer:
        assert 'attached' in tracer.stderr.readline()
        reader = threading.Thread(target=tracer.stderr.read)
        reader.start()
        yield
        tracer.terminate()
        reader.join()


@contextlib.contextmanager
def meanwhile(m, command):
    """The command runs; its exit code and what it said are in the list."""
    result = []
    runner = threading.Thread(target=lambda: result.append(command()))
    runner.start()
    yield result
    runner.join()


@pytest.fixture
def his(tmp_path):
    """What somebody else saves to the same place: other values."""
    (tmp_path / 'his').mkdir()
    tensors = {name: (dtype, shape, bytes(255 - byte for byte in content))
               for name, (dtype, shape, content) in random_tensors().items()}
    return write_bundle(tmp_path / 'his/plain', tensors)


def file_of(prefix, end):
    return prefix.with_name(prefix.name + end)


INDEX, DATA = '.index', '.data-00000-of-00001'


def test_a_save_of_tensorflow_between_our_renames(plain, his, root):
    expected = cat(his, 'pages')
    with Mount(plain) as m:
        edit(m.file('pages'))
        index = file_of(plain, INDEX).stat().st_ino
        with injected(m, 'inject=renameat2:delay_enter=300000'), meanwhile(m, m.unmount) as result:
            wait_until(lambda: file_of(plain, INDEX).stat().st_ino != index, 'our first index')
            os.rename(file_of(his, DATA), file_of(plain, DATA))
        assert result[0][0] == CHANGED and 'changed by somebody else' in result[0][1]
        shutil.copyfile(file_of(his, INDEX), file_of(plain, INDEX))
        assert cat(plain, 'pages') == expected
        assert m.unmount()[0] == CHANGED and m.mounted()
        assert weightctl('discard', m.path).returncode == FINE
    assert names_in(plain.parent) == {'plain' + INDEX, 'plain' + DATA}
    assert_sound(plain)


def test_what_is_removed_right_after_it_was_saved(plain, root):
    """As a training run that keeps only the last checkpoints."""
    with Mount(plain) as m:
        edit(m.file('pages'))
        data = file_of(plain, DATA).stat().st_ino
        with injected(m, 'inject=renameat2:delay_enter=300000'), meanwhile(m, m.unmount) as result:
            wait_until(lambda: file_of(plain, DATA).stat().st_ino != data, 'the data file')
            index = file_of(plain, INDEX).stat().st_ino
            wait_until(lambda: file_of(plain, INDEX).stat().st_ino != index, 'the last index')
            for end in (INDEX, DATA):
                file_of(plain, end).unlink()
        code, said = result[0]
        assert code == LEFT_OVER and 'saved' in said and 'cannot be read again' in said
    assert names_in(plain.parent) == set()


def test_what_is_removed_before_it_is_saved(plain, root):
    with Mount(plain) as m:
        edit(m.file('pages'))
        for end in (INDEX, DATA):
            file_of(plain, end).unlink()
        assert m.unmount()[0] == CHANGED
        assert weightctl('discard', m.path).returncode == FINE
    assert list(plain.parent.iterdir()) == []


@pytest.mark.parametrize('command', ['commit', 'discard'])
def test_a_save_that_stops_half_way_goes_on(plain, root, command):
    """A discard carries it through, too: what it has staged may be all that there is."""
    with Mount(plain) as m:
        content = edit(m.file('pages'))
        with injected(m, 'inject=renameat2:error=EIO:when=4+'):
            code, said = m.unmount()
            assert code == SAVE_FAILED and 'nothing is lost' in said
            done = weightctl(command, m.path)
            assert done.returncode == SAVE_FAILED
            assert m.mounted() and m.file('pages').read_bytes() == content
        assert weightctl(command, m.path).returncode == FINE
        assert cat(plain, 'pages') == content == m.file('pages').read_bytes()
        content = edit(m.file('tiny'))
    assert cat(plain, 'tiny') == content
    assert names_in(plain.parent) == {'plain' + INDEX, 'plain' + DATA}
    assert_sound(plain)


def test_the_folder_is_another_one_meanwhile(plain, his):
    with Mount(plain) as m:
        before = cat(his, 'tiny')
        content = edit(m.file('tiny'))
        away = plain.parent.with_name('away')
        plain.parent.rename(away)
        his.parent.rename(plain.parent)
        code, said = m.unmount()
        assert code == CHANGED and str(away) in said
        assert cat(plain, 'tiny') == before
        plain.parent.rename(his.parent)
        away.rename(plain.parent)
    assert cat(plain, 'tiny') == content
