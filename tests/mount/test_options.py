"""-o compact, output, backup, workdir: where a save goes, and what it leaves."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bundle import shard_count, stored
from mounting import (FINE, NOT_MOUNTABLE, SAVE_FAILED, Mount, assert_sound, cat, edit, fill,
                      names_in, snapshot, weightctl, weightfs, work_folders)


def contents(folder):
    """What is in its files, and how they look from outside; not when they were looked at."""
    return {name: stat for name, stat in snapshot(folder).items() if name.name}


# ------------------------------------------------------------------------------------- compaction

@pytest.fixture
def scattered(large, large_tensors):
    """A large model with appended shards, and what is in it."""
    expected = {name: content for name, (_, _, content) in large_tensors.items()}
    for names in (['block/00', 'block/01', 'block/02'], ['block/01'], ['block/65']):
        with Mount(large) as m:
            for name in names:
                expected[name] = edit(m.file(name))
    assert shard_count(f'{large}.index') > 1
    return large, expected


def assert_compact(prefix, expected):
    assert names_in(prefix.parent) == {'large.index', 'large.data-00000-of-00001'}
    values = stored(prefix)
    assert Path(f'{prefix}.data-00000-of-00001').stat().st_size == sum(map(len, values.values()))
    for name, content in expected.items():
        assert values[name.encode()] == (content if isinstance(content, bytes)
                                         else content.content()), name
    assert_sound(prefix)


def test_a_dry_run_of_compact_touches_nothing(scattered):
    prefix, _ = scattered
    before = snapshot(prefix.parent)
    done = weightctl('compact', prefix, '--dry-run')
    assert done.returncode == FINE
    now, after = done.stdout.splitlines()
    assert now.startswith('now:') and after.startswith('after:') and '1 data file,' in after
    assert snapshot(prefix.parent) == before


def test_compact_of_a_model(scattered):
    prefix, expected = scattered
    assert weightctl('compact', prefix).returncode == FINE
    assert_compact(prefix, expected)
    assert 'nothing to gain' in weightctl('compact', prefix).stdout


def test_compact_at_a_save(scattered):
    prefix, expected = scattered
    with Mount(prefix, 'compact') as m:
        expected['block/33'] = edit(m.file('block/33'))
    assert_compact(prefix, expected)


def test_compact_as_an_option_needs_an_edit(scattered):
    prefix, _ = scattered
    before = snapshot(prefix.parent)
    with Mount(prefix, 'compact') as m:
        m.commit()
    assert snapshot(prefix.parent) == before


def test_compact_takes_up_edits_of_a_dead_daemon(scattered):
    prefix, expected = scattered
    with Mount(prefix) as m:
        expected['block/10'] = edit(m.file('block/10'))
        m.give_up()
    assert weightctl('compact', prefix).returncode == FINE
    assert_compact(prefix, expected)


def test_compact_without_room_changes_nothing(small_disk, large, large_tensors):
    disk = small_disk(8000)
    shutil.copytree(large.parent, disk / 'large', copy_function=sparse_copy)
    prefix = disk / 'large/large'
    with Mount(prefix) as m:
        content = edit(m.file('block/00'))
    before = snapshot(prefix.parent)
    done = weightctl('compact', prefix)
    assert done.returncode == SAVE_FAILED and 'NOT compacted' in done.stderr
    assert contents(prefix.parent) == {k: v for k, v in before.items() if k.name}
    assert cat(prefix, 'block/00') == content


def sparse_copy(old, new):
    subprocess.run(['cp', '--sparse=always', old, new], check=True)


def test_modes_and_owners_are_kept_by_each_kind_of_save(large, root):
    for path in large.parent.iterdir():
        path.chmod(0o640)
        os.chown(path, 1234, 5678)

    def look():
        return {(st.st_mode & 0o7777, st.st_uid, st.st_gid)
                for st in (path.stat() for path in large.parent.iterdir())}

    with Mount(large) as m:
        edit(m.file('block/00'))
    assert shard_count(f'{large}.index') == 2 and look() == {(0o640, 1234, 5678)}
    assert weightctl('compact', large).returncode == FINE
    assert shard_count(f'{large}.index') == 1 and look() == {(0o640, 1234, 5678)}


# --------------------------------------------------------------------------------------- elsewhere

@pytest.mark.parametrize('argument, name', [('train/ckpt-5', 'step'), ('vocab', 'scale')])
def test_output_leaves_the_original_alone(copy_of, tmp_path, argument, name):
    model, output = copy_of(argument), tmp_path / 'output'
    before = snapshot(tmp_path / argument.split('/')[0])
    with Mount(model, f'output={output}') as m:
        old = m.file(name).read_bytes()
        content = edit(m.file(name))
        m.commit()
        assert cat(output, f'variables/{name}') == content
        content = edit(m.file(name))[:-1] + b'\x01'
        m.file(name).write_bytes(content)
        code, said = m.unmount()
        assert code == FINE and str(output) in said
    assert snapshot(tmp_path / argument.split('/')[0]) == before
    assert cat(output, f'variables/{name}') == content
    assert cat(model, f'variables/{name}') == old
    assert_sound(output)
    assert work_folders(output) == []


def test_output_of_a_model_that_cannot_be_written(small_disk, copy_of, tmp_path):
    disk = small_disk(8000)
    shutil.copytree(copy_of('mlp'), disk / 'mlp')
    subprocess.run(['mount', '-o', 'remount,ro', disk], check=True)
    with Mount(disk / 'mlp', f'output={tmp_path / "output"}') as m:
        content = edit(m.file('layer_with_weights-0/bias'))
    assert cat(tmp_path / 'output', 'dense_1/bias') == content


def test_output_onto_something_is_refused(copy_of, tmp_path):
    model = copy_of('vocab')
    (tmp_path / 'there').mkdir()
    (tmp_path / 'm').mkdir()
    done = weightfs(model, tmp_path / 'm', '-o', f'output={tmp_path / "there"}')
    assert done.returncode == NOT_MOUNTABLE
    assert 'exists' in done.stderr and str(tmp_path / 'there') in done.stderr


@pytest.mark.parametrize('argument', ['vocab', 'train/ckpt-5'])
@pytest.mark.parametrize('beside, swept', [
    ('data.0', True), ('stage.new/x', True), ('journal', False), ('elsewhere', False),
    ('notes.txt', False)])
def test_litter_of_an_output_that_is_complete_goes(copy_of, tmp_path, argument, beside, swept):
    """A mount that was killed in its last clean-up leaves files without a journal."""
    model, output = copy_of(argument), tmp_path / 'output'
    with Mount(model, f'output={output}') as m:
        edit(next(file for file in m.path.glob('variables/**/*') if file.is_file()))
    work = tmp_path / 'output.weightfs'
    work.mkdir()
    for name in ('data.0', beside):
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text('what is left\n')
    (tmp_path / 'm').mkdir()
    done = weightfs(model, tmp_path / 'm', '-o', f'output={output}')
    assert done.returncode != FINE
    assert beside == 'journal' or 'exists' in done.stderr
    assert not work.exists() if swept else (work / beside).exists()


def test_the_work_folder_of_what_stands_at_the_output_is_left_alone(copy_of, tmp_path):
    model, output = copy_of('train/ckpt-5'), tmp_path / 'output'
    with Mount(model, f'output={output}') as m:
        edit(m.file('step'))
    work = tmp_path / 'output.weightfs'
    with Mount(output):
        work.mkdir()
        (work / 'data.0').write_text('an edit that begins just now\n')
        (tmp_path / 'other').mkdir()
        done = weightfs(model, tmp_path / 'other', '-o', f'output={output}')
        assert done.returncode != FINE and (work / 'data.0').exists()
        shutil.rmtree(work)


def test_output_on_a_full_disk_loses_nothing(small_disk, copy_of):
    disk, model = small_disk(4000), copy_of('mlp')
    with Mount(model, f'output={disk / "output"}') as m:
        content = edit(m.file('layer_with_weights-0/kernel'))
        fill(disk)
        code, said = m.unmount()
        assert code == SAVE_FAILED and 'No space left' in said
        assert not (disk / 'output/saved_model.pb').exists()
        (disk / 'filler').unlink()
        assert m.unmount()[0] == FINE
    assert cat(disk / 'output', 'dense_1/kernel') == content


def test_edits_for_an_output_survive_a_kill(copy_of, tmp_path):
    model, output = copy_of('train/ckpt-5'), tmp_path / 'output'
    with Mount(model, f'output={output}') as m:
        content = edit(m.file('step'))
        m.give_up()
    assert not output.with_name('output.index').exists()
    with Mount(model, f'output={output}') as m:
        assert 'pending' in m.said and m.file('step').read_bytes() == content
    assert cat(output, 'variables/step') == content


# ----------------------------------------------------------------------------------------- backups

@pytest.mark.parametrize('size', ['plain', 'large'])
def test_a_backup_is_the_model_before_the_last_save(request, size):
    prefix = request.getfixturevalue(size)
    name = {'plain': 'pages', 'large': 'block/07'}[size]
    states = [cat(prefix, name)]
    with Mount(prefix, 'backup') as m:
        for _ in range(3):
            states.append(edit(m.file(name))[::-1])
            m.file(name).write_bytes(states[-1])
            m.commit()
            assert cat(prefix, name) == states[-1]
            assert cat(f'{prefix}.bak', name) == states[-2]
    assert_sound(f'{prefix}.bak')


def test_a_backup_of_a_saved_model(copy_of):
    model = copy_of('vocab')
    before = {name: (model / name).read_bytes() for name in names_in(model)}
    with Mount(model, 'backup') as m:
        edit(m.file('scale'))
    backup = model.with_name('vocab.bak')
    assert {name: (backup / name).read_bytes() for name in before} == before
    assert not (backup / '.weightfs').exists()
    assert_sound(backup)


def test_nothing_edited_is_nothing_backed_up(plain):
    before = snapshot(plain.parent)
    with Mount(plain, 'backup') as m:
        m.commit()
    assert snapshot(plain.parent) == before


def test_what_somebody_else_calls_a_backup_is_left_alone(copy_of):
    model = copy_of('vocab')
    shutil.copytree(model, model.with_name('vocab.bak'))
    before = contents(model.with_name('vocab.bak'))
    with Mount(model, 'backup') as m:
        edit(m.file('scale'))
        code, said = m.unmount()
        assert code == SAVE_FAILED and 'vocab.bak' in said
        assert contents(model.with_name('vocab.bak')) == before
        m.give_up()


def put_back(model):
    """The one command of weightfs(1)."""
    if model.is_dir():
        shutil.rmtree(model)
        model.with_name(f'{model.name}.bak').rename(model)
        return
    for path in model.parent.glob(f'{model.name}.data-*'):
        path.unlink()
    for path in model.parent.glob(f'{model.name}.bak.[id]*'):
        path.rename(path.with_name(path.name.replace('.bak', '', 1)))


def copy_by_hand(model):
    """As by `cp -a`."""
    if model.is_dir():
        shutil.copytree(model, model.with_name(f'{model.name}.bak'))
        return
    for path in model.parent.glob(f'{model.name}.[id]*'):
        shutil.copy2(path, path.with_name(path.name.replace('.', '.bak.', 1)))


@pytest.mark.parametrize('argument, name', [('vocab', 'scale'),
                                            ('mlp_weights/mlp', 'layer_with_weights-0/bias')])
def test_a_copy_made_by_hand_after_a_backup_was_put_back_is_left_alone(copy_of, argument, name):
    model = copy_of(argument)
    before = names_in(model.parent)
    with Mount(model, 'backup') as m:
        edit(m.file(name))
    put_back(model)
    assert names_in(model.parent) - before == {f'{model.name}.bak.by-weightfs'}
    copy_by_hand(model)
    kept = snapshot(model.parent)
    with Mount(model, 'backup') as m:
        edit(m.file(name))
        code, said = m.unmount()
        assert code == SAVE_FAILED and f'{model.name}.bak' in said and 'move it away' in said
        m.give_up()
    after = snapshot(model.parent)
    assert {path: stat for path, stat in after.items() if '.bak' in str(path)} == \
        {path: stat for path, stat in kept.items() if '.bak' in str(path)}


def test_a_backup_to_which_somebody_has_added_is_left_alone(copy_of):
    model = copy_of('vocab')
    with Mount(model, 'backup') as m:
        edit(m.file('scale'))
    note = model.with_name('vocab.bak') / 'NOTES'
    note.write_text('mine')
    with Mount(model, 'backup') as m:
        content = edit(m.file('scale'))
        assert m.unmount()[0] == SAVE_FAILED
        note.unlink()
        assert m.unmount()[0] == FINE
    assert cat(model, 'scale') == content


# ---------------------------------------------------------------------------------- the work folder

@pytest.mark.parametrize('size', ['plain', 'large'])
def test_edits_may_be_kept_in_another_folder(request, size, tmp_path):
    prefix, work = request.getfixturevalue(size), tmp_path / 'work'
    name = {'plain': 'pages', 'large': 'block/07'}[size]
    before = snapshot(prefix.parent)
    with Mount(prefix, f'workdir={work}') as m:
        content = edit(m.file(name))
        assert (work / 'journal').exists() and (work / 'data.0').exists()
        m.give_up()
    assert {path: stat for path, stat in snapshot(prefix.parent).items()
            if path in before and path.name} == {k: v for k, v in before.items() if k.name}
    with Mount(prefix, f'workdir={work}') as m:
        assert 'pending' in m.said and m.file(name).read_bytes() == content
    assert cat(prefix, name) == content
    assert not work.exists() and work_folders(prefix) == []
    assert_sound(prefix)


def test_edits_in_another_folder_are_found_by_who_does_not_know_it(plain, tmp_path):
    with Mount(plain, f'workdir={tmp_path / "work"}') as m:
        edit(m.file('tiny'))
        m.kill()
        dead = weightfs('-u', m.path)
    (tmp_path / 'm').mkdir()
    done = weightfs(plain, tmp_path / 'm')
    assert (dead.returncode, done.returncode) == (SAVE_FAILED, NOT_MOUNTABLE)
    assert f'workdir={tmp_path / "work"}' in dead.stderr
    assert f'workdir={tmp_path / "work"}' in done.stderr


def test_a_work_folder_on_another_disk(small_disk, large):
    """The edited tensors are copied then, as no link leads there."""
    disk = small_disk(16000)
    with Mount(large, f'workdir={disk / "work"}') as m:
        content = edit(m.file('block/07'))
    assert cat(large, 'block/07') == content
    assert list(disk.iterdir()) == []
    assert_sound(large)
