"""What a mount shows is what TensorFlow reads."""

import errno
import hashlib
import itertools
import json
import mmap
import os
import random
import shutil
import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bundle import Entry, read_index
from models import TARGETS, key_of, parse_tsv, sha, signatures_in, signatures_of, value_digest
from mounting import DATA, FINE, USAGE, Mount, bash, cat, run, weightctl, weightfs

SAVED_MODELS = [t for t in TARGETS if t.saved_model]
HIDDEN = {'deep': 2}  # tensors whose names are too long or too deep to be shown


@pytest.fixture(scope='module', params=TARGETS, ids=repr)
def shown(request, tmp_path_factory):
    """A model, mounted once for all tests that only look at it."""
    yield from mounted(request.param, tmp_path_factory)


@pytest.fixture(scope='module', params=SAVED_MODELS, ids=repr)
def saved_model(request, tmp_path_factory):
    yield from mounted(request.param, tmp_path_factory)


@pytest.fixture(scope='module')
def mlp(tmp_path_factory):
    yield from mounted(next(t for t in TARGETS if t.model == 'mlp'), tmp_path_factory)


def mounted(target, tmp_path_factory):
    folder = tmp_path_factory.mktemp('shown') / target.model
    shutil.copytree(DATA / target.model, folder)
    with Mount(folder.parent / target.argument) as m:
        m.target, m.folder = target, folder
        m.shard_of = lambda name: folder.parent / (
            f'{target.prefix}.data-{m.entries[name].shard:05d}-of-{len(m.shards):05d}')
        m.shards = sorted(folder.parent.glob(f'{target.prefix}.data-*'))
        m.rows = parse_tsv((m.path / 'tensors.tsv').read_bytes())
        index = folder.parent / f'{target.prefix}.index'
        m.entries = {os.fsdecode(key): Entry(value) for key, value in
                     (read_index(index) if index.exists() else {}).items()}
        yield m


@pytest.fixture
def kernel(mlp):
    """A file of 200 KB, and its bytes."""
    path = mlp.file('layer_with_weights-0/kernel')
    return path, cat(mlp.model, 'dense_1/kernel')


# ---------------------------------------------------------------------------------------- tensors

def test_all_values_are_what_tensorflow_reads(shown):
    if shown.target.model in HIDDEN:
        expected = {name: t['sha256'] for name, t in shown.target.tensors.items()}
        found = {name: value_digest(shown.path / row['path'], row)
                 for name, row in shown.rows.items()}
        assert found.items() <= expected.items()
        return
    lines = ''.join(f"{name}\t{row['dtype']}\t{row['shape']}\t"
                    f"{value_digest(shown.path / row['path'], row)}\n"
                    for name, row in shown.rows.items() if name not in shown.target.unreadable)
    expected = shown.target.checkpoint.get('digest', sha(b''))
    assert sha(lines.encode('utf-8', 'surrogateescape')) == expected


def test_the_table_lists_all_tensors_with_dtype_and_shape(shown):
    checkpoint = shown.target.checkpoint
    assert len(shown.rows) == checkpoint.get('count', 0) - HIDDEN.get(shown.target.model, 0)
    assert list(shown.rows) == sorted(shown.rows, key=lambda s: s.encode())
    known = {**shown.target.tensors, **shown.target.unreadable}
    for name in known.keys() & shown.rows.keys():
        row, tensor = shown.rows[name], known[name]
        assert (row['dtype'], row['shape']) == (tensor['dtype'], str(tensor['shape']))
        assert int(row['bytes']) == tensor.get('bytes', int(row['bytes']))


def test_the_table_lists_the_variables_own_names(shown):
    if shown.target.object_based:
        own = shown.target.checkpoint['graph']['keys']
        assert {n: r['variable'] for n, r in shown.rows.items() if r['variable']} == \
            {key: name for key, name in own.items() if name and key in shown.rows}
    else:
        assert all(row['variable'] == name for name, row in shown.rows.items())


def test_the_table_lists_all_files_of_variables(shown):
    found = {os.path.relpath(os.path.join(folder, name), shown.path)
             for folder, _, names in os.walk(shown.path / 'variables') for name in names}
    assert found == {row['path'] for row in shown.rows.values()}


def test_each_path_leads_back_to_its_key(shown):
    for name, row in shown.rows.items():
        path = row['path'].removeprefix('variables/')
        assert key_of(path, shown.target.object_based) == name
        assert all(len(os.fsencode(piece)) <= 255 for piece in path.split('/'))


def test_sizes_are_what_can_be_read(shown):
    for row in shown.rows.values():
        path = shown.path / row['path']
        size = path.stat().st_size
        assert size == len(path.read_bytes())
        if is_raw(row):
            assert size == int(row['bytes'])


def is_raw(row):
    return row['dtype'] not in ('string', 'variant')


def test_a_variable_has_the_times_of_its_shard(shown):
    for name, row in shown.rows.items():
        if not shown.entries[name].slices:
            shard = shown.shard_of(name)
            assert (shown.path / row['path']).stat().st_mtime_ns == shard.stat().st_mtime_ns


def test_modes_tell_what_can_be_written(shown):
    for name, row in shown.rows.items():
        found = (shown.path / row['path']).stat()
        editable = row['dtype'] != 'variant' and not row['dtype'].startswith('dtype-')
        assert found.st_mode == stat.S_IFREG | (0o644 if editable else 0o444)
        assert (found.st_uid, found.st_gid, found.st_nlink) == (os.geteuid(), os.getegid(), 1)


def test_attributes_tell_what_a_variable_is(shown):
    for name, row in shown.rows.items():
        path = shown.path / row['path']
        assert os.getxattr(path, 'user.dtype').decode() == row['dtype']
        assert os.getxattr(path, 'user.shape').decode() == row['shape']
        assert os.fsdecode(os.getxattr(path, 'user.name')) == name
        if row['variable']:
            assert os.fsdecode(os.getxattr(path, 'user.variable')) == row['variable']


def test_shard_offset_and_checksum_are_those_of_the_index(shown):
    for name, row in shown.rows.items():
        path, entry = shown.path / row['path'], shown.entries[name]
        names = ('user.shard', 'user.offset', 'user.crc32c')
        if entry.slices:
            assert not set(names) & set(os.listxattr(path))
        else:
            assert [os.getxattr(path, n).decode() for n in names] == \
                [str(entry.shard), str(entry.offset), f'{entry.crc:08x}']


def test_weightctl_ls_lists_what_the_table_lists(shown):
    done = weightctl('ls', shown.model, text=False, errors=None)
    assert done.returncode == FINE
    assert done.stdout == b''.join(os.fsencode(row['path']) + b'\n'
                                   for row in shown.rows.values())


def test_weightctl_ls_l_tells_dtype_bytes_and_shape(shown):
    if any('\n' in row['path'] for row in shown.rows.values()):
        return
    lines = weightctl('ls', '-l', shown.model).stdout.splitlines()
    for line, row in zip(lines, shown.rows.values(), strict=True):
        dtype, size, rest = line.split(maxsplit=2)
        assert (dtype, size) == (row['dtype'], row['bytes'])
        assert rest.startswith(row['shape']) and rest.endswith(row['path'])


def test_weightctl_cat_writes_what_the_file_holds(shown):
    paths = {row['path'] for row in shown.rows.values()}
    for name, row in list(shown.rows.items())[::max(1, len(shown.rows) // 100) ** 2]:
        content = (shown.path / row['path']).read_bytes()
        assert cat(shown.model, row['path']) == content
        if '\0' not in name and f'variables/{name}' not in paths - {row['path']}:
            assert cat(shown.model, name) == content


def test_weightctl_check_finds_nothing(shown):
    done = weightctl('check', shown.model)
    assert (done.returncode, done.stdout) == (FINE, '')


# -------------------------------------------------------------------------------------- documents

def test_signatures_are_those_of_the_model(saved_model):
    expected = signatures_of(saved_model.target.metagraph)
    assert signatures_in(saved_model.path / 'signatures') == expected


def test_config_is_the_one_that_keras_takes(saved_model):
    path = saved_model.path / 'config.json'
    expected = saved_model.target.truth.get('keras', {}).get('from_saved')
    if expected:
        assert path.read_text() == expected
    else:
        assert not path.exists()


def test_assets_are_the_files_of_the_model(saved_model):
    for name in ('assets', 'assets.extra'):
        expected = saved_model.folder / name
        found = saved_model.path / name
        assert found.exists() == expected.exists()
        for path in expected.rglob('*'):
            copy = found / path.relative_to(expected)
            assert copy.read_bytes() == path.read_bytes()
            assert copy.stat().st_mtime_ns == path.stat().st_mtime_ns
    listed = saved_model.target.metagraph['assets']
    assert all((saved_model.path / 'assets' / name).is_file() for name in listed)


def test_model_json_counts_and_names(shown):
    found = json.loads((shown.path / 'model.json').read_text())
    assert found['format'] == ('saved_model' if shown.target.saved_model else 'checkpoint')
    assert found['tensors'] == shown.target.checkpoint.get('count', 0)
    assert found['bytes'] >= sum(t.get('bytes', 0) for t in shown.target.tensors.values())
    if shown.target.saved_model:
        assert found['tensorflow_version'] == shown.target.truth['producer']['tensorflow']
        assert found['tags'] == shown.target.metagraph['tags']
        assert found['metagraphs'] == len(shown.target.truth['metagraphs'])


def test_status_of_a_fresh_mount_is_clean(shown):
    found = shown.status()
    assert found['model'] == str(shown.model)
    assert (found['state'], found['pending'], found['unplaced'], found['dropped'],
            found['last_commit']) == ('clean', [], [], [], None)


def test_version_is_that_of_the_program(mlp):
    version = (mlp.path / '.weightfs/version').read_text().strip()
    assert weightfs('-V').stdout == f'weightfs {version}\n'
    assert weightctl('--version').stdout == f'weightctl {version}\n'


def test_a_name_too_deep_is_not_shown_but_logged(copy_of):
    with Mount(copy_of('deep/deep')) as m:
        text = m.full_log() + m.said
        assert 'b/b/b/b' in text


# ------------------------------------------------------------------------------------------- names

ODD_NAMES = {
    'w': 'w', 'w/Adam': 'w.d/Adam', 'w/Adam/deep': 'w.d/Adam.d/deep', 'w.d': 'w%2Ed',
    'w.d/x': 'w%2Ed.d/x', 'w.slots': 'w%2Eslots', 'w.attrs/y': 'w%2Eattrs/y', 'w.npy': 'w%2Enpy',
    'w.npy/z': 'w%2Enpy.d/z', '%': '%25', '100%': '100%25', 'a%2Fb': 'a%252Fb',
    '%00': '%2500', '%.': '%25.', 'tail%+/more': 'tail%25+.d/more', '.': '%2E', '..': '%2E%2E',
    'up/../down': 'up/%2E%2E/down', 'same/./place': 'same/%2E/place', '...': '...',
    'a//b': 'a/%./b', 'a///c': 'a/%./%./c', '/abs': '%./abs', '//': '%./%./%.',
    'slash/': 'slash/%.', 'new\nline': 'new\nline', 'nul\0in': 'nul%00in',
    'größe/重み': 'größe/重み', ' ': ' ', '-rf': '-rf', '*': '*',
    '.weightfs/status': '.weightfs/status', 'net.slots/opt/m': 'net%2Eslots/opt/m',
    'net/.ATTRIBUTES/VARIABLE_VALUE': 'net/.ATTRIBUTES/VARIABLE_VALUE',
    'long/' + 'c' * 240: 'long/' + 'c' * 240,
    'long/' + 'd' * 241: 'long/' + 'd' * 240 + '%+/d',
    'long/' + 'e' * 300 + '/kernel': 'long/' + 'e' * 240 + '%+/' + 'e' * 60 + '/kernel',
    'f' * 1000: '%+/'.join(['f' * 240] * 4 + ['f' * 40]),
    'long/' + 'ü' * 200: 'long/' + 'ü' * 120 + '%+/' + 'ü' * 80,
}


def test_odd_names_have_the_paths_that_the_manual_promises(copy_of):
    with Mount(copy_of('names/names')) as m:
        rows = parse_tsv((m.path / 'tensors.tsv').read_bytes())
        assert {name: rows[name]['path'] for name in ODD_NAMES} == \
            {name: f'variables/{path}' for name, path in ODD_NAMES.items()}


@pytest.mark.parametrize('key, path', [
    ('optimizer/beta_1/.ATTRIBUTES/VARIABLE_VALUE', 'optimizer/beta_1'),
    ('net/l1/kernel/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE',
     'net/l1/kernel.slots/optimizer/m'),
])
def test_keys_of_tf2_lose_their_tails(copy_of, key, path):
    with Mount(copy_of('train_slots/ckpt-5')) as m:
        rows = parse_tsv((m.path / 'tensors.tsv').read_bytes())
        assert rows[key]['path'] == f'variables/{path}'


@pytest.mark.parametrize('key, path', [
    ('table/.ATTRIBUTES/table-keys', 'table.attrs/table-keys'),
    ('notes/.ATTRIBUTES/py_state', 'notes.attrs/py_state'),
])
def test_other_attributes_have_a_folder_beside_the_object(copy_of, key, path):
    with Mount(copy_of('tables/tables-1')) as m:
        rows = parse_tsv((m.path / 'tensors.tsv').read_bytes())
        assert rows[key]['path'] == f'variables/{path}'


@pytest.mark.parametrize('ending', ['', '.index', '.data-00000-of-00001'])
def test_any_file_of_a_checkpoint_stands_for_it(copy_of, ending):
    prefix = copy_of('train/ckpt-4')
    with Mount(f'{prefix}{ending}') as m:
        assert m.status()['state'] == 'clean'
        assert m.file('net/l1/bias').stat().st_size == 20


def test_a_meta_file_stands_for_its_checkpoint(copy_of):
    with Mount(f'{copy_of("estimator/model.ckpt-10")}.meta') as m:
        assert m.file('dense/bias').stat().st_size == 8


def test_a_folder_with_one_index_stands_for_it(plain):
    with Mount(plain.parent) as m:
        assert m.file('tiny').stat().st_size == 20


def test_saved_model_pb_stands_for_its_folder(copy_of):
    with Mount(copy_of('vocab') / 'saved_model.pb') as m:
        assert (m.path / 'signatures/score.json').is_file()


# --------------------------------------------------------------------------------- ways to read

@pytest.mark.parametrize('size', [1, 7, 511, 4095, 4096, 4097, 65537, 1 << 20])
def test_dd_reads_in_any_block_size(kernel, size):
    path, expected = kernel
    done = run('dd', f'if={path}', f'bs={size}', 'status=none', text=False, errors=None)
    assert done.stdout == expected


def test_pread_at_any_offset(kernel):
    path, expected = kernel
    rng = random.Random(2)
    with open(path, 'rb', buffering=0) as file:
        for _ in range(1000):
            offset, size = rng.randrange(len(expected) + 100), rng.choice((1, 13, 4096, 100000))
            assert os.pread(file.fileno(), size, offset) == expected[offset:offset + size]


def test_a_map_shows_the_bytes(kernel):
    path, expected = kernel
    with open(path, 'rb') as file, \
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert view[70000:90000] == expected[70000:90000]
        assert view[:] == expected


def test_readers_in_parallel_all_see_the_same(plain, plain_contents):
    expected = hashlib.sha256(plain_contents['large']).digest()

    def read(size):
        with open(m.file('large'), 'rb', buffering=0) as file:
            return hashlib.sha256(b''.join(iter(lambda: file.read(size), b''))).digest()

    with Mount(plain) as m, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, [4096, 10000, 65536, 1 << 20] * 8)) == {expected}


def test_direct_io_reads_the_bytes(kernel):
    path, expected = kernel
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        assert os.pread(fd, 4096, 8192) == expected[8192:12288]
        assert os.pread(fd, 1000, 77) == expected[77:1077]
        assert os.pread(fd, 1 << 20, 0) == expected
    finally:
        os.close(fd)


def test_reading_past_the_end_gives_nothing(kernel):
    path, expected = kernel
    with open(path, 'rb', buffering=0) as file:
        assert os.pread(file.fileno(), 10, len(expected)) == b''
        assert os.pread(file.fileno(), 10, len(expected) - 3) == expected[-3:]
        assert os.pread(file.fileno(), 10, 1 << 40) == b''


def test_an_empty_tensor_is_an_empty_file(mount):
    assert mount.file('empty').read_bytes() == b''


def test_listing_and_reading_at_the_same_time(mlp):
    errors = []

    def walk():
        try:
            for folder, _, names in os.walk(mlp.path):
                for name in names:
                    os.stat(os.path.join(folder, name))
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=walk) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


# ------------------------------------------------------------------------------ folders, the rest

def test_listings_are_complete_and_in_a_stable_order(shown):
    top = shown.path if len(shown.rows) < 1000 else shown.file('')
    first = run('find', top, '-print0').stdout
    assert run('find', top, '-print0').stdout == first
    largest = max((os.path.dirname(shown.path / r['path']) for r in shown.rows.values()),
                  key=lambda path: len(os.listdir(path)), default=shown.path)
    assert run('ls', '-U', largest).stdout == run('ls', '-U', largest).stdout


def test_a_folder_can_be_read_in_small_steps(copy_of):
    with Mount(copy_of('many/many')) as m, os.scandir(m.file('')) as entries:
        names = {entry.name for entry in entries}
        assert len(names) == 5000
        for name in random.Random(3).sample(sorted(names), 50):
            assert m.file(name).is_dir()


def test_folders_and_documents_have_plain_modes(saved_model):
    for path in [saved_model.path, saved_model.path / 'signatures']:
        assert path.stat().st_mode == stat.S_IFDIR | 0o755
    for path in saved_model.path.glob('*.*'):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) in (0o444, 0o644)


def test_inode_numbers_are_unique_and_stay(shown):
    paths = list(itertools.islice(shown.path.rglob('*'), 500))
    inodes = [path.lstat().st_ino for path in paths]
    assert len(set(inodes)) == len(inodes)
    assert [path.lstat().st_ino for path in paths] == inodes


def test_df_shows_the_file_system_of_the_model(mlp):
    found, expected = os.statvfs(mlp.path), os.statvfs(mlp.model)
    assert (found.f_blocks, found.f_frsize, found.f_files, found.f_namemax) == \
        (expected.f_blocks, expected.f_frsize, expected.f_files, 255)
    assert run('df', mlp.path).returncode == 0


def test_what_is_not_there_is_not_there(mlp):
    for name in ('nothing', 'variables/nothing', 'config.json/x', '.weightfs/nothing',
                 'variables/layer_with_weights-0/kernel.npy'):
        with pytest.raises(OSError) as caught:
            (mlp.path / name).stat()
        assert caught.value.errno in (errno.ENOENT, errno.ENOTDIR)


@pytest.mark.parametrize('name, number', [
    ('security.capability', errno.ENODATA), ('security.selinux', errno.ENOTSUP),
    ('system.posix_acl_access', errno.ENOTSUP), ('user.nothing', errno.ENODATA),
])
def test_attributes_that_are_not_there_have_the_right_errno(kernel, name, number):
    with pytest.raises(OSError) as caught:
        os.getxattr(kernel[0], name)
    assert caught.value.errno == number


def test_attributes_of_a_folder_are_none(mlp):
    assert os.listxattr(mlp.path / 'variables') == []


def test_getfattr_lists_the_attributes(mlp):
    path = mlp.file('layer_with_weights-0/bias')
    text = run('getfattr', '-d', path).stdout
    assert 'user.dtype="float32"' in text and 'user.shape="[64]"' in text
    assert 'user.variable="dense_1/bias"' in text


@pytest.mark.parametrize('name', ['name', 'variable', 'shard', 'offset', 'crc32c'])
def test_cp_a_may_set_the_attributes_that_only_inform(kernel, name):
    os.setxattr(kernel[0], f'user.{name}', b'anything')
    assert os.getxattr(kernel[0], f'user.{name}') != b'anything'


def test_dtype_and_shape_can_be_set_to_what_they_are(kernel):
    os.setxattr(kernel[0], 'user.dtype', b'float32')
    os.setxattr(kernel[0], 'user.shape', b'[784, 64]')


@pytest.mark.parametrize('name, value', [('dtype', b'int32'), ('shape', b'[64, 784]')])
def test_dtype_and_shape_of_a_saved_model_are_fixed(kernel, name, value):
    with pytest.raises(PermissionError):
        os.setxattr(kernel[0], f'user.{name}', value)


def test_cat_by_an_ambiguous_name_is_an_error_with_the_list(mlp):
    done = weightctl('cat', mlp.model, 'count')
    assert done.returncode == USAGE
    assert 'variables/keras_api/metrics/0/count' in done.stderr
    assert 'variables/keras_api/metrics/1/count' in done.stderr


def test_cat_lists_both_where_a_key_is_the_path_of_another(copy_of):
    done = weightctl('cat', copy_of('names/names'), '%25')
    assert done.returncode == USAGE
    assert {'variables/%25', 'variables/%2525'} <= set(done.stderr.split())


def test_cat_writes_documents_too(mlp):
    done = weightctl('cat', mlp.model, 'signatures/serving_default.json')
    assert done.stdout == (mlp.path / 'signatures/serving_default.json').read_text()


def test_cat_of_nothing_says_so(mlp):
    done = weightctl('cat', mlp.model, 'no/such/thing')
    assert done.returncode != FINE and 'no/such/thing' in done.stderr


# ---------------------------------------------------------------------------------------- options

def test_uid_and_gid_are_shown(copy_of):
    with Mount(copy_of('mlp'), 'uid=12345', 'gid=54321') as m:
        found = m.file('layer_with_weights-0/bias').stat()
        assert (found.st_uid, found.st_gid) == (12345, 54321)


def test_umask_takes_permissions_away(copy_of):
    with Mount(copy_of('mlp'), 'umask=077') as m:
        assert stat.S_IMODE(m.path.stat().st_mode) == 0o700
        assert stat.S_IMODE(m.file('layer_with_weights-0/bias').stat().st_mode) == 0o600
        assert stat.S_IMODE((m.path / 'model.json').stat().st_mode) == 0o400


def test_others_are_kept_out_unless_they_are_let_in(copy_of, root):
    model = copy_of('mlp')
    look = 'setpriv --reuid=65534 --regid=65534 --clear-groups cat {}/model.json'
    with Mount(model) as m:
        assert bash(look.format(m.path)).returncode != 0
    with Mount(model, 'allow_other') as m:
        assert bash(look.format(m.path)).stdout == (m.path / 'model.json').read_text()


def test_others_who_are_let_in_still_cannot_write(copy_of, root):
    with Mount(copy_of('mlp'), 'allow_other') as m:
        bias = m.file('layer_with_weights-0/bias')
        done = bash(f'setpriv --reuid=65534 --regid=65534 --clear-groups sh -c ": >{bias}"')
        assert done.returncode != 0 and bias.stat().st_size == 256


def test_files_closed_at_once_after_reading_do_no_harm(copy_of):
    """The close may come before the one who answers a read is done with it."""
    def read(paths):
        for path in paths * 50:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECT)  # so that each read is a request
            os.read(fd, 4096)
            os.close(fd)

    with Mount(copy_of('dtypes/dtypes')) as m, ThreadPoolExecutor(4) as pool:
        rows = parse_tsv((m.path / 'tensors.tsv').read_bytes())
        list(pool.map(read, [[m.path / row['path'] for row in rows.values()]] * 4))
