"""Writing back: what changes on disk, what does not, and what is said."""

import errno
import itertools
import json
import os
import random
import shutil
from pathlib import Path

import pytest

from bundle import Entry, read_index, shard_count, stored, write_bundle
from models import TARGETS
from mounting import (CHANGED, FINE, SAVE_FAILED, WAYS_TO_END, Mount, assert_sound, bash, cat,
                      edit, fails, fill, names_in, snapshot, wait_until, weightfs, work_folders)


# --------------------------------------------------------------------------------- nothing edited

def looked_at(m):
    """All there is; of a model of thousands of tensors a part of one of its trees."""
    if len((m.path / 'tensors.tsv').read_bytes()) < 100_000:
        return m.path.rglob('*')
    return itertools.islice(m.file('').rglob('*'), 5000)


@pytest.mark.parametrize('target', TARGETS, ids=repr)
def test_a_model_that_was_only_read_is_not_touched(copy_of, target):
    model = copy_of(target.argument)
    folder = model if target.saved_model else model.parent
    before = snapshot(folder)
    with Mount(model) as m:
        for path in looked_at(m):
            if path.is_file() and path.name != 'control':
                path.read_bytes()
        assert m.unmount() == (FINE, '')
    assert snapshot(folder) == before


@pytest.mark.parametrize('way', WAYS_TO_END)
def test_however_it_ends_nothing_edited_is_nothing_written(copy_of, way):
    model = copy_of('mlp')
    before = snapshot(model)
    with Mount(model) as m:
        m.file('layer_with_weights-0/bias').read_bytes()
        m.end(way)
    assert snapshot(model) == before


@pytest.mark.parametrize('command', ['touch {f}', ': >> {f}', 'chmod 600 {f}', 'exec 3<>{f}',
                                     'truncate -s 256 {f}', 'sync {m}', 'sync {f}'])
def test_commands_that_change_no_byte_are_no_edit(copy_of, command):
    model = copy_of('mlp')
    before = snapshot(model)
    with Mount(model) as m:
        assert bash(command.format(f=m.file('layer_with_weights-0/bias'),
                                   m=m.path)).returncode == 0
        m.commit()
    assert snapshot(model) == before


def test_a_draft_that_was_dropped_leaves_no_trace(plain):
    before = snapshot(plain.parent)
    with Mount(plain) as m:
        bash(f': > {m.file("bytes")}')
        wait_until(lambda: m.status()['dropped'], 'the draft is dropped')
        m.unmount()
    assert {k: v for k, v in snapshot(plain.parent).items() if k.name} == \
        {k: v for k, v in before.items() if k.name}


# ------------------------------------------------------------------------------ one tensor edited

ONE = [('mlp', 'layer_with_weights-1/kernel'), ('mlp_weights/mlp', 'layer_with_weights-0/bias'),
       ('train/ckpt-4', 'net/l1/kernel'), ('train_slots/ckpt-5', 'step'),
       ('names/names', 'w.d/Adam'),
       ('dtypes/dtypes', 'bfloat16/matrix'), ('deep/deep', 'fits'), ('tables/tables-1', 'again'),
       ('vocab', 'scale'), ('sliced/sliced', 'plain'), ('estimator/model.ckpt-20', 'dense/bias'),
       ('keras3', 'variables/0'), ('nested', 'layer_with_weights-0/kernel'), ('multi', 'w'),
       ('tf1', 'w'), ('many/many', None)]


@pytest.mark.parametrize('argument, name', ONE)
def test_one_tensor_edited_leaves_all_else_as_it_was(copy_of, argument, name):
    model = copy_of(argument)
    saved_model = (model / 'saved_model.pb').exists()
    folder = model if saved_model else model.parent
    prefix = model / 'variables/variables' if saved_model else model
    names, index, values = names_in(folder), read_index(f'{prefix}.index'), stored(prefix)
    files = {path: stat for path, stat in snapshot(folder).items()
             if f'{folder / path}'.split('.data-')[0] != str(prefix) and path.suffix != '.index'
             and (folder / path).is_file()}
    with Mount(model) as m:
        path = m.file(name) if name else next(p for p in m.file('').rglob('*') if p.is_file())
        key = os.getxattr(path, 'user.name')
        content = edit(path)

    assert names_in(folder) == names - {'fingerprint.pb'}
    after = read_index(f'{prefix}.index')
    assert list(after) == list(index)
    assert {k: v for k, v in after.items() if k != key} == \
        {k: v for k, v in index.items() if k != key}
    old, new = Entry(index[key]), Entry(after[key])
    assert vars(new) == {**vars(old), 'crc': new.crc} and new.crc != old.crc
    assert stored(prefix) == {**values, key: content}
    assert {path: stat for path, stat in snapshot(folder).items() if path in files} == \
        {path: stat for path, stat in files.items() if path.name != 'fingerprint.pb'}
    assert_sound(model)


@pytest.mark.parametrize('argument', ['', '/variables', '/variables.index'])
def test_the_fingerprint_goes_when_variables_are_edited_by_their_own_prefix(copy_of, argument):
    model = copy_of('mlp')
    before = names_in(model)
    with Mount(f'{model}/variables{argument}') as m:
        assert json.loads((m.path / 'model.json').read_text())['format'] == 'checkpoint'
    assert names_in(model) == before
    with Mount(f'{model}/variables{argument}') as m:
        content = edit(m.file('layer_with_weights-0/bias'))
        m.give_up()
    with Mount(f'{model}/variables{argument}'):
        pass
    assert names_in(model) == before - {'fingerprint.pb'}
    assert cat(model, 'dense_1/bias') == content
    assert_sound(model)


def test_the_fingerprint_stays_where_other_variables_are_edited(copy_of):
    model = copy_of('mlp')
    for path in list((model / 'variables').iterdir()):
        shutil.copy(path, path.with_name(path.name.replace('variables', 'other')))
    before = names_in(model)
    with Mount(model / 'variables/other') as m:
        edit(m.file('layer_with_weights-0/bias'))
    with Mount(model / 'variables/variables', f'output={model.parent}/new') as m:
        edit(m.file('layer_with_weights-0/bias'))
    assert names_in(model) == before


def test_several_shards_become_the_usual_one(copy_of):
    prefix = copy_of('sharded/sharded')
    values = stored(prefix)
    with Mount(prefix) as m:
        content = edit(m.file('b/kernel'))
    assert names_in(prefix.parent) == {'sharded.index', 'sharded.data-00000-of-00001'}
    assert stored(prefix) == {**values, b'b/kernel': content}
    assert_sound(prefix)


def test_mode_and_owner_of_the_files_are_kept(plain, root):
    for path in plain.parent.iterdir():
        path.chmod(0o640)
        os.chown(path, 1234, 5678)
    with Mount(plain) as m:
        edit(m.file('tiny'))
    for path in plain.parent.iterdir():
        st = path.stat()
        assert (st.st_mode & 0o7777, st.st_uid, st.st_gid) == (0o640, 1234, 5678)


def test_a_hard_link_to_the_old_data_keeps_the_old_data(plain, tmp_path, plain_contents):
    os.link(f'{plain}.data-00000-of-00001', tmp_path / 'backup')
    before = (tmp_path / 'backup').read_bytes()
    with Mount(plain) as m:
        edit(m.file('tiny'))
    assert (tmp_path / 'backup').read_bytes() == before


def test_stale_files_of_another_count_are_left_alone(plain):
    strangers = [Path(f'{plain}.data-00000-of-0000{n}') for n in (2, 3)]
    for stranger in strangers:
        stranger.write_bytes(b'somebody else')
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
    assert cat(plain, 'tiny') == content
    assert names_in(plain.parent) == {'plain.index', 'plain.data-00000-of-00001',
                                      *(path.name for path in strangers)}
    assert all(path.read_bytes() == b'somebody else' for path in strangers)


def test_all_tensors_edited(copy_of):
    model = copy_of('dtypes/dtypes')
    expected = {}
    with Mount(model) as m:
        for path in m.file('').rglob('*'):
            if path.is_file() and 'string' not in path.parts:
                expected[path.relative_to(m.file(''))] = edit(path)
    with Mount(model) as m:
        assert {path: m.file(path).read_bytes() for path in expected} == expected
    assert_sound(model)


def test_two_checkpoints_of_a_folder_are_saved_by_themselves(copy_of):
    first = copy_of('train/ckpt-4')
    second = first.with_name('ckpt-5')
    with Mount(first) as a, Mount(second) as b:
        contents = edit(a.file('net/l1/bias')), edit(b.file('step'))
    assert (cat(first, 'variables/net/l1/bias'), cat(second, 'variables/step')) == contents
    assert work_folders(first) == []


# ------------------------------------------------------------------------------------ large models

def test_a_large_model_gets_a_shard_and_keeps_its_own(large, large_tensors):
    original = Path(f'{large}.data-00000-of-00001')
    inode, index = original.stat().st_ino, read_index(f'{large}.index')
    with Mount(large) as m:
        content = edit(m.file('block/07'))
    assert names_in(large.parent) == {'large.index', 'large.data-00000-of-00002',
                                      'large.data-00001-of-00002'}
    kept, added = (Path(f'{large}.data-0000{i}-of-00002') for i in (0, 1))
    assert (kept.stat().st_ino, kept.stat().st_nlink) == (inode, 1)
    assert added.stat().st_size < 2 << 20
    after = read_index(f'{large}.index')
    assert shard_count(f'{large}.index') == 2
    assert {k: v for k, v in after.items() if k not in (b'', b'block/07')} == \
        {k: v for k, v in index.items() if k not in (b'', b'block/07')}
    assert (Entry(after[b'block/07']).shard, cat(large, 'block/07')) == (1, content)
    assert_sound(large)


def test_a_small_edit_of_a_large_model_fills_the_rest_from_the_base(large, large_tensors):
    with Mount(large) as m, open(m.file('block/00'), 'r+b', buffering=0) as file:
        os.pwrite(file.fileno(), b'in the middle', 500_001)
    expected = bytearray(large_tensors['block/00'][2].content())
    expected[500_001:500_014] = b'in the middle'
    assert cat(large, 'block/00') == expected
    assert_sound(large)


class LargeEdits:
    """Small edits at random places of a large model, and what is to come of them."""

    def __init__(self, prefix, tensors):
        self.rng, self.prefix, self.tensors, self.expected = random.Random(4), prefix, tensors, {}

    def make(self, m):
        for name in self.rng.sample(sorted(self.tensors), self.rng.choice((1, 1, 1, 3))):
            part, offset = self.rng.randbytes(1000), self.rng.randrange((1 << 20) - 1000)
            with open(m.file(name), 'r+b', buffering=0) as file:
                os.pwrite(file.fileno(), part, offset)
            content = self.expected.get(name) or self.tensors[name][2].content()
            self.expected[name] = content[:offset] + part + content[offset + 1000:]

    def check_files(self):
        count = shard_count(f'{self.prefix}.index')
        assert count <= 10
        assert names_in(self.prefix.parent) == {
            'large.index', *(f'large.data-{i:05d}-of-{count:05d}' for i in range(count))}

    def check_values(self):
        assert_sound(self.prefix)
        assert {name: cat(self.prefix, name) for name in self.expected} == self.expected
        for name in sorted(self.tensors.keys() - self.expected.keys())[:9]:
            assert cat(self.prefix, name) == self.tensors[name][2].content()


def test_many_commits_of_one_mount_leave_few_shards_and_right_values(large, large_tensors):
    edits = LargeEdits(large, large_tensors)
    with Mount(large) as m:
        for _ in range(20):
            edits.make(m)
            m.commit()
            edits.check_files()
    edits.check_values()


def test_many_mounts_leave_few_shards_and_right_values(large, large_tensors):
    edits = LargeEdits(large, large_tensors)
    for _ in range(20):
        with Mount(large) as m:
            edits.make(m)
        edits.check_files()
    edits.check_values()


def test_a_large_saved_model_loses_its_fingerprint_too(copy_of, large_tensors):
    model = copy_of('vocab')
    shutil.rmtree(model / 'variables')
    (model / 'variables').mkdir()
    write_bundle(model / 'variables/variables', large_tensors)
    with Mount(model) as m:
        content = edit(m.file('block/65'))
    assert not (model / 'fingerprint.pb').exists()
    assert cat(model, 'block/65') == content
    assert shard_count(model / 'variables/variables.index') == 2


# ---------------------------------------------------------------- the model changes underneath us

def overwrite(path, content):
    path.write_bytes(content)


def replace(path, content):
    new = path.with_name('new')
    new.write_bytes(content)
    new.rename(path)


def other_byte(content):
    return content[:-1] + bytes([content[-1] ^ 1])


INDEX, SHARD = 'ckpt-5.index', 'ckpt-5.data-00000-of-00001'
MEANWHILE = {
    'the index is replaced': lambda d: replace(d / INDEX, (d / 'ckpt-4.index').read_bytes()),
    'the index is rewritten': lambda d: overwrite(d / INDEX, (d / 'ckpt-4.index').read_bytes()),
    'the index is removed': lambda d: (d / INDEX).unlink(),
    'the data is replaced': lambda d: replace(d / SHARD, other_byte((d / SHARD).read_bytes())),
    'the data is changed in place': lambda d: overwrite(
        d / SHARD, other_byte((d / SHARD).read_bytes())),
    'the data is cut': lambda d: os.truncate(d / SHARD, 10),
    'the data is removed': lambda d: (d / SHARD).unlink(),
}


@pytest.mark.parametrize('what', MEANWHILE)
def test_a_model_changed_underneath_is_not_overwritten(copy_of, what):
    model = copy_of('train/ckpt-5')
    with Mount(model) as m:
        content = edit(m.file('net/l1/kernel'))
        MEANWHILE[what](model.parent)
        before = {path: stat for path, stat in snapshot(model.parent).items() if path.suffix}
        code, said = m.unmount()
        assert code == CHANGED
        assert 'ckpt-5' in said and 'NOT saved' in said
        assert m.mounted() and m.status()['state'] == 'failed'
        assert m.file('net/l1/kernel').read_bytes() == content
        assert m.unmount()[0] == CHANGED
        after = snapshot(model.parent)
        assert {path: after.get(path) for path in before if path.suffix != '.weightfs'} == \
            {path: stat for path, stat in before.items() if path.suffix != '.weightfs'}
        m.give_up()
    assert len(work_folders(model)) == 1


def test_a_saved_model_whose_graph_changed_is_not_overwritten(copy_of):
    model = copy_of('mlp')
    with Mount(model) as m:
        edit(m.file('layer_with_weights-0/bias'))
        overwrite(model / 'saved_model.pb', (model / 'saved_model.pb').read_bytes())
        code, said = m.unmount()
        assert code == CHANGED and 'saved_model.pb' in said
        m.give_up()


def test_a_shard_of_a_large_model_changed_underneath_is_noticed(large):
    """Though a commit that appends does not read it."""
    shard = Path(f'{large}.data-00000-of-00001')
    with Mount(large) as m:
        m.file('block/01').write_bytes(bytes(1 << 20))
        with open(shard, 'r+b') as file:
            os.pwrite(file.fileno(), b'x', 5)
        assert m.unmount()[0] == CHANGED
        m.give_up()


def test_what_was_changed_and_put_back_can_be_saved(copy_of):
    model = copy_of('train/ckpt-5')
    with Mount(model) as m:
        content = edit(m.file('net/l1/kernel'))
        (model.parent / INDEX).rename(model.parent / 'aside')
        assert m.unmount()[0] == CHANGED
        (model.parent / 'aside').rename(model.parent / INDEX)
        assert m.unmount()[0] == FINE
    assert cat(model, 'variables/net/l1/kernel') == content


def test_a_variable_whose_data_changed_is_estale(copy_of):
    model = copy_of('train/ckpt-5')
    shard = model.parent / SHARD
    with Mount(model) as m:
        replace(shard, bytes(255 - byte for byte in shard.read_bytes()))
        with fails(errno.ESTALE):
            m.file('step').read_bytes()
        assert SHARD in m.log()


@pytest.mark.parametrize('change', [os.utime, lambda path: replace(path, path.read_bytes())])
def test_a_variable_whose_data_has_another_time_is_read(copy_of, change):
    """But not edited: a save would not go by checksums alone."""
    model = copy_of('train/ckpt-5')
    content = cat(model, 'net/l1/kernel')
    with Mount(model) as m:
        change(model.parent / SHARD)
        assert m.file('net/l1/kernel').read_bytes() == content
        with fails(errno.ESTALE):
            open(m.file('net/l1/kernel'), 'r+b')


def test_edits_for_another_state_are_refused_and_kept(copy_of, tmp_path):
    model = copy_of('train/ckpt-5')
    with Mount(model) as m:
        edit(m.file('net/l1/kernel'))
        m.give_up()
    MEANWHILE['the index is rewritten'](model.parent)
    (tmp_path / 'm').mkdir()
    done = weightfs(model, tmp_path / 'm')
    assert done.returncode == CHANGED
    assert 'discard' in done.stderr and '-o ro' in done.stderr
    assert len(work_folders(model)) == 1
    with Mount(model, 'ro') as m:
        assert 'pending' in m.said
        assert m.file('net/l1/kernel').read_bytes() == cat(model, 'variables/net/l1/kernel')
        m.unmount_read_only()
    assert len(work_folders(model)) == 1


# --------------------------------------------------------------------------------------- full disk

@pytest.mark.parametrize('kib', range(900, 1750, 170))
def test_a_disk_too_small_for_the_commit_loses_nothing(small_disk, copy_of, kib):
    disk = small_disk(kib)
    model = shutil.move(copy_of('mlp'), disk / 'mlp')
    values = stored(model / 'variables/variables')
    with Mount(model) as m:
        path = m.file('layer_with_weights-1/kernel')
        content = edit(path)
        key = os.getxattr(path, 'user.name')
        code, said = m.unmount()
        if code != FINE:
            assert code == SAVE_FAILED
            assert 'No space left' in said and 'NOT saved' in said
            assert m.mounted() and path.read_bytes() == content
            assert stored(model / 'variables/variables') == values
            assert_sound(model)
            small_disk(8000)
            code, said = m.unmount()
        assert code == FINE, said
    assert stored(model / 'variables/variables') == {**values, key: content}
    assert_sound(model)


@pytest.mark.parametrize('way', ['SIGTERM', 'umount', 'fusermount3 -u'])
def test_edits_that_could_not_be_saved_at_the_end_are_there_again(small_disk, copy_of, way):
    disk = small_disk(4000)
    model = shutil.move(copy_of('mlp'), disk / 'mlp')
    with Mount(model) as m:
        content = edit(m.file('layer_with_weights-1/kernel'))
        fill(disk)
        m.end(way)
        assert 'NOT saved' in m.full_log() and 'No space left' in m.full_log()
    assert_sound(model)
    (disk / 'filler').unlink()
    with Mount(model) as m:
        assert 'pending' in m.said
        assert m.pending() == {'variables/layer_with_weights-1/kernel'}
    assert cat(model, 'variables/layer_with_weights-1/kernel') == content


def test_a_large_model_on_a_full_disk_loses_nothing(small_disk, large_tensors):
    disk = small_disk(8000)
    large = write_bundle(disk / 'large', large_tensors)
    with Mount(large) as m:
        content = edit(m.file('block/07'))
        fill(disk)
        code, said = m.unmount()
        assert code == SAVE_FAILED and 'No space left' in said
        assert cat(large, 'block/07') == large_tensors['block/07'][2].content()
        (disk / 'filler').unlink()
        assert m.unmount()[0] == FINE
    assert cat(large, 'block/07') == content
    assert_sound(large)


def test_writing_to_a_full_disk_is_enospc_and_nothing_changes(small_disk, copy_of):
    disk = small_disk(4000)
    model = shutil.move(copy_of('mlp'), disk / 'mlp')
    with Mount(model) as m:
        path = m.file('layer_with_weights-0/kernel')
        content = path.read_bytes()
        fill(disk)
        with pytest.raises(OSError) as caught:
            path.write_bytes(bytes(len(content)))
        assert caught.value.errno in (errno.ENOSPC, errno.EINVAL)
        wait_until(lambda: path.read_bytes() == content, 'the old content is back')
        with open(path, 'r+b', buffering=0) as file, fails(errno.ENOSPC):
            file.write(b'x' * 10_000)
        (disk / 'filler').unlink()
        path.write_bytes(bytes(len(content)))
    assert cat(model, 'variables/layer_with_weights-0/kernel') == bytes(len(content))
