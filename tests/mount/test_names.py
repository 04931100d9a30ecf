"""names/: the variables by their own names, as links."""

import errno
import os
import re
import shlex
import stat
import struct

import pytest

from bundle import (FLOAT, GRAPH, STRING, each_field, entry_of, fields_of, index_of, message,
                    number, read_index, stored, strings_of, take_varint, write_bundle)
from models import TARGETS, VALUE, key_of, parse_tsv
from mounting import USAGE, Mount, assert_sound, bash, cat, fails, weightctl

VIEWS = [('npy', '.npy', b'\x93NUMPY'), ('text', '.txt', b'# ')]  # and how their files begin
OTHERS = '.npy', '.txt'


def links_below(folder):
    """The paths of all links, relative to the folder; nothing else is there but folders."""
    found = []
    for parent, folders, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            assert os.path.islink(path), path
            found.append(os.path.relpath(path, folder))
        assert not any(os.path.islink(os.path.join(parent, name)) for name in folders)
    return found


def target_of(m, path):
    """Where a link of names/ leads, relative to the mount's root."""
    text = os.readlink(m.path / 'names' / path)
    assert not text.startswith('/')
    return os.path.normpath(os.path.join('names', os.path.dirname(path), text))


def rows_of(m):
    return parse_tsv((m.path / 'tensors.tsv').read_bytes())


def own_name(path):
    """The name that a path below names/ stands for."""
    return key_of(path, False)


def names_in_truth(target):
    """Key -> own name, as TensorFlow's object graph says; TF1's keys are names."""
    if target.object_based:
        return {key: name for key, name in target.checkpoint['graph']['keys'].items() if name}
    return {name: name for name in [*target.tensors, *target.unreadable]}


@pytest.mark.parametrize('target', [t for t in TARGETS if t.tensors], ids=repr)
def test_each_own_name_leads_to_its_variable(copy_of, target):
    truth = names_in_truth(target)
    with Mount(copy_of(target.argument)) as m:
        rows = {row['path']: row for row in rows_of(m).values()}
        links = [path for path in links_below(m.path / 'names') if not path.endswith(OTHERS)]
        found = {target_of(m, path): path for path in links}
        assert len(found) == len(links)
        assert found.keys() == {path for path, row in rows.items() if row['variable']}
        for path, link in found.items():
            row, name = rows[path], own_name(link)
            assert row['variable'] == truth.get(row['name'], row['variable'])
            assert name == row['variable'] or re.sub('#[0-9]+$', '', name) == row['variable']
        shown = {row['name'] for row in rows.values() if row['variable']}
        if 'sample' not in target.checkpoint:
            assert shown == {key for key in truth if key in {r['name'] for r in rows.values()}}


@pytest.mark.parametrize('target', [t for t in TARGETS if t.tensors], ids=repr)
def test_beside_each_link_are_those_to_its_npy_and_its_text(copy_of, target):
    with Mount(copy_of(target.argument)) as m:
        links = {path: target_of(m, path) for path in links_below(m.path / 'names')}
        names = [path for path in links if not path.endswith(OTHERS)]
        for path in names:
            for folder, ending, start in VIEWS:
                to = f'{folder}/{links[path].removeprefix("variables/")}{ending}'
                assert (m.path / to).exists() == (path + ending in links)
                assert links.pop(path + ending, to) == to
                assert not (m.path / to).exists() or (m.path / to).read_bytes().startswith(start)
        assert links.keys() == set(names)


class Graph:
    """The object graph of a checkpoint without names, its nodes numbered the other way round."""

    def __init__(self, message_bytes):
        self.nodes = [node for _, node in each_field(message_bytes)]

    def number(self, node):
        return (len(self.nodes) - node) % len(self.nodes)  # the root stays 0

    def node(self, message_bytes):
        change = {1: self.child, 2: self.attribute, 3: self.slot}
        return b''.join(message(field, change.get(field, bytes)(value))
                        for field, value in each_field(message_bytes))

    def child(self, edge):
        fields = fields_of(edge)
        return number(1, self.number(fields.get(1, 0))) + message(2, fields[2])

    def attribute(self, attribute):
        return b''.join(message(field, value) for field, value in each_field(attribute)
                        if field in (1, 3))

    def slot(self, slot):
        fields = fields_of(slot)
        return (number(1, self.number(fields.get(1, 0))) + message(2, fields[2])
                + number(3, self.number(fields.get(3, 0))))

    def changed(self):
        order = [self.number(node) for node in range(len(self.nodes))]
        return b''.join(message(1, self.node(self.nodes[node])) for node in order)


def without_names(prefix):
    """Makes the checkpoint of a SavedModel one that TensorFlow 2.3 wrote under a strategy."""
    content = stored(prefix)[GRAPH]
    size, at = take_varint(content, 0)
    content, crc = strings_of([Graph(content[at + 4:at + 4 + size]).changed()])
    shard = prefix.with_name(f'{prefix.name}.data-00000-of-00001')
    entry = entry_of(STRING, (), 0, shard.stat().st_size, len(content), crc)
    shard.write_bytes(shard.read_bytes() + content)
    entries = {**read_index(f'{prefix}.index'), GRAPH: entry}
    prefix.with_name(f'{prefix.name}.index').write_bytes(index_of(entries.items()))


@pytest.mark.parametrize('name', ['mlp', 'nested', 'keras3'])
def test_names_that_only_saved_model_pb_has(copy_of, name):
    model = copy_of(name)

    def look():
        with Mount(model) as m:
            return ({key: row['variable'] for key, row in rows_of(m).items()},
                    {path: target_of(m, path) for path in links_below(m.path / 'names')},
                    bash(f'cd {m.path} && find layers -type l -printf "%p %l\\n" | sort').stdout)

    names, links, layers = look()
    without_names(model / 'variables/variables')
    found, links_now, layers_now = look()
    assert (found, layers_now) == (names, layers) and links_now.keys() == links.keys()
    if name == 'keras3':  # of two of one name the one that functions use; else the order of nodes
        assert links_now == links
    assert_sound(model)


def test_who_looks_for_names_that_nobody_has_is_told(copy_of, tmp_path):
    prefix = copy_of('mlp') / 'variables/variables'
    without_names(prefix)
    with Mount(prefix) as m:
        assert not (m.path / 'names').exists()
        assert '24 variables have no name of their own, and cannot be in names/' in m.said
    assert_sound(prefix)


def test_a_link_is_as_long_as_what_it_says(copy_of):
    with Mount(copy_of('mlp')) as m:
        path = m.path / 'names/dense_1/kernel'
        found = path.lstat()
        assert found.st_mode == stat.S_IFLNK | 0o777
        assert found.st_size == len(os.readlink(path)) == len(
            '../../variables/layer_with_weights-0/kernel')
        assert path.stat().st_ino == m.file('layer_with_weights-0/kernel').stat().st_ino


def test_of_two_variables_of_one_name_the_one_in_use_keeps_it(copy_of):
    """Keras 3 stores each weight twice, and its functions work with variables/."""
    with Mount(copy_of('keras3')) as m:
        for path in links_below(m.path / 'names'):
            assert ('#2' in path) == target_of(m, path).split('/')[1].startswith('_all')
        assert target_of(m, 'small/first/kernel') == 'variables/variables/0'
        assert target_of(m, 'small/first/kernel#2') == 'variables/_all_variables/2'


def test_a_name_can_be_a_file_and_a_folder(copy_of):
    with Mount(copy_of('tf1')) as m:
        assert target_of(m, 'w') == 'variables/w'
        assert target_of(m, 'w.d/Adam') == 'variables/w.d/Adam'
        assert target_of(m, 'w.d/Adam.npy') == 'npy/w.d/Adam.npy'


def test_there_are_no_names_where_there_are_no_variables(copy_of):
    with Mount(copy_of('novars')) as m:
        assert 'names' not in os.listdir(m.path)


def test_what_is_written_through_a_name_is_saved(copy_of):
    model, values = copy_of('mlp'), struct.pack('<64f', *range(64))
    with Mount(model) as m:
        (m.path / 'names/dense_1/bias').write_bytes(values)
        assert m.file('layer_with_weights-0/bias').read_bytes() == values
        assert m.pending() == {'variables/layer_with_weights-0/bias'}
    assert cat(model, 'dense_1/bias') == values
    assert_sound(model)


def test_names_themselves_cannot_be_changed(copy_of):
    with Mount(copy_of('mlp')) as m:
        names = m.path / 'names'
        with fails(errno.EPERM):
            (names / 'dense_1/kernel').unlink()
        with fails(errno.EPERM):
            (names / 'dense_1').rename(names / 'dense_9')
        with fails(errno.EPERM):
            (names / 'new').write_bytes(b'')
        with fails(errno.EPERM):
            (names / 'new').mkdir()
        with fails(errno.EPERM):
            (names / 'new').symlink_to('dense_1/kernel')


def test_the_weights_of_one_model_are_grafted_into_another(copy_of, tmp_path):
    """A checkpoint's weights go into a SavedModel whose own were lost."""
    old, new = copy_of('mlp_weights/mlp'), copy_of('mlp')
    with Mount(new) as m:
        before = {path: (m.path / 'names' / path).read_bytes()
                  for path in links_below(m.path / 'names')}
        for path in before:
            if re.match('dense|pred', path) and not path.endswith(OTHERS):
                (m.path / 'names' / path).write_bytes(bytes(len(before[path])))
    with Mount(old) as source, Mount(new) as m:
        done = bash(f'cp -rL {shlex.quote(str(source.path))}/names/. '
                    f'{shlex.quote(str(m.path))}/names/')
        assert done.stderr == ''
    with Mount(new) as m:
        after = {path: (m.path / 'names' / path).read_bytes() for path in before}
    assert {p: c for p, c in after.items() if p.startswith('dense_1/')} == {
        p: c for p, c in before.items() if p.startswith('dense_1/')}
    assert cat(new, 'predictions/kernel') == cat(old, 'predictions/kernel')
    assert_sound(new)


def test_cat_takes_own_names(copy_of):
    model = copy_of('mlp')
    with Mount(model) as m:
        kernel = (m.path / 'names/dense_1/kernel').read_bytes()
        second = (m.path / 'names/count#2').read_bytes()
        npy = (m.path / 'names/dense_1/kernel.npy').read_bytes()
    assert cat(model, 'dense_1/kernel') == cat(model, 'names/dense_1/kernel') == kernel
    assert cat(model, 'dense_1/kernel.npy') == npy
    assert cat(model, 'count#2') == second
    done = weightctl('cat', model, 'count')
    assert done.returncode == USAGE
    assert done.stderr.split('\n')[1:] == ['  variables/keras_api/metrics/0/count',
                                           '  variables/keras_api/metrics/1/count', '']


def test_what_follows_links_finds_every_tensor_again(copy_of):
    """find -L, tar -h and the like see files, not links."""
    with Mount(copy_of('mlp')) as m:
        done = bash(f'cd {m.path} && find -L names -name kernel -type f -printf "%s %p\\n"')
        assert '200704 names/dense_1/kernel' in done.stdout.split('\n')
        assert done.stderr == ''


def test_names_of_a_checkpoint_in_a_folder(copy_of):
    with Mount(copy_of('train')) as m:
        path = m.path / 'latest/names/net/dense/bias'
        assert os.readlink(path) == '../../../variables/net/l1/bias'
        assert path.read_bytes() == (m.path / 'ckpt-5/variables/net/l1/bias').read_bytes()


# --------------------------------------------------------------------------------- names that we make

HOSTILE = [b'..', b'.', b'/', b'//', b'/etc/passwd', b'../../up', b'a/../b', b'nul\0in', b'new\nline',
           b'tab\tin', b'\xff\xfe', b'x.npy', b'x', b'x/y', b'x.d', b'x.d/z', b'%', b'%25', b'w.slots',
           b'twice', b'twice', b'twice#2', b'twice', b'long' * 100, b'-rf', b' ']


def write_named(folder, names):
    """A TF2 checkpoint: variable i has the i-th name; its prefix."""
    tensors = {}
    root = b''.join(message(1, number(1, i + 1) + message(2, b'v%d' % i))
                    for i in range(len(names)))
    graph = [root]
    for i, name in enumerate(names):
        key = b'v%06d' % i + VALUE.encode()
        tensors[key] = FLOAT, (), struct.pack('<f', i)
        graph.append(message(2, message(1, b'VARIABLE_VALUE') + message(2, name) +
                             message(3, key)))
    tensors[GRAPH] = STRING, (), [b''.join(message(1, node) for node in graph)]
    return write_bundle(folder / 'named', tensors)


def as_bytes(name):
    return name.encode('utf-8', 'surrogateescape')


def test_names_that_no_file_system_likes(tmp_path):
    with Mount(write_named(tmp_path, HOSTILE)) as m:
        found = {path: struct.unpack('<f', (m.path / 'names' / path).read_bytes())[0]
                 for path in links_below(m.path / 'names') if not path.endswith(OTHERS)}
        assert sorted(found.values()) == list(range(len(HOSTILE)))
        for path, value in found.items():
            name = as_bytes(own_name(path))
            assert re.sub(b'#[34]$', b'', name) == HOSTILE[int(value)]
        assert {path for path in found if path.startswith('twice')} == {
            'twice', 'twice#2', 'twice#3', 'twice#4'}
        assert (m.path / 'names/twice#2').read_bytes() == struct.pack('<f', 21)


def test_a_name_too_long_to_be_shown_is_logged(tmp_path):
    names = [b'a', b'b/' * 300 + b'deep', b'c' * 5000]
    with Mount(write_named(tmp_path, names)) as m:
        assert sorted(os.listdir(m.path / 'names')) == ['a', 'a.npy', 'a.txt']
        assert m.log().count('names/: no link to') == 2


def test_tens_of_thousands_of_one_name(tmp_path):
    with Mount(write_named(tmp_path, [b'same'] * 20000)) as m:
        names = set(os.listdir(m.path / 'names'))
        assert {f'same#{i}' for i in range(2, 20001)} <= names and 'same' in names
        assert (m.path / 'names/same#20000').read_bytes() == struct.pack('<f', 19999)
