"""Editing the bytes of variables: each open-write-close is a small transaction on one file."""

import errno
import fcntl
import json
import mmap
import os
import random
import subprocess
import threading
import time

import pytest

from mounting import FINE, Mount, bash, cat, environment, fails, run, wait_for_content

SIZES = {'bytes': 10007, 'pages': 16384, 'tiny': 20}


def saved(mount, name):
    """What is on disk after the unmount."""
    code, said = mount.unmount()
    assert code == FINE, said
    return cat(mount.model, name)


def overwritten(content, offset, part):
    return content[:offset] + part + content[offset + len(part):]


# ---------------------------------------------------------------------- what is left by an edit

EDITS = {}


def edits(name):
    """Registers a way to edit a variable: what is there then is what it returns."""
    def register(way):
        EDITS[way.__name__.replace('_', ' ')] = name, way
    return register


@edits('large')
def writes_across_block_borders(path, old, new):
    with open(path, 'r+b', buffering=0) as file:
        for offset in (4090, 8191, (1 << 20) - 50_000, len(old) - 100_000):
            part = new[offset:offset + 100_000]
            assert os.pwrite(file.fileno(), part, offset) == len(part)
            old = overwritten(old, offset, part)
    return old


@edits('large')
def one_large_write(path, old, new):
    with open(path, 'r+b', buffering=0) as file:
        assert os.pwrite(file.fileno(), new, 0) == len(new)
    return new


@edits('bytes')
def a_shared_map(path, old, new):
    with open(path, 'r+b') as file, mmap.mmap(file.fileno(), 0) as view:
        view[4090:4100] = new[:10]
        view[10006] = old[10006] ^ 1
        view.flush()
    return overwritten(old, 4090, new[:10])[:-1] + bytes([old[10006] ^ 1])


@edits('pages')
def a_map_that_is_not_flushed(path, old, new):
    with open(path, 'r+b') as file:
        view = mmap.mmap(file.fileno(), 0)
    view[5000:5003] = new[:3]
    view.close()
    return overwritten(old, 5000, new[:3])


@edits('pages')
def direct_io(path, old, new):
    fd = os.open(path, os.O_RDWR | os.O_DIRECT)
    os.pwrite(fd, new[:6], 4093)
    os.close(fd)
    return overwritten(old, 4093, new[:6])


@edits('tiny')
def a_buffer_of_three_bytes(path, old, new):
    with open(path, 'wb', buffering=3) as file:
        file.write(new)
    return new


@edits('tiny')
def writes_by_vectors(path, old, new):
    with open(path, 'wb', buffering=0) as file:
        assert os.pwritev(file.fileno(), [new[:7], new[7:]], 0) == 20
    return new


@edits('tiny')
def too_much_by_one_write_is_cut(path, old, new):
    """As on a full disk: what fits is written, and the program hears of the rest."""
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
    assert os.write(fd, new + b'rest') == 20
    with fails(errno.EFBIG):
        os.write(fd, b'rest')
    os.close(fd)
    return new


@edits('bytes')
def an_edit_before_a_dropped_draft(path, old, new):
    with open(path, 'r+b', buffering=0) as file:
        os.pwrite(file.fileno(), new[:4], 6000)
    assert bash(f': > {path}').returncode == 0
    expected = overwritten(old, 6000, new[:4])
    wait_for_content(path, expected)
    return expected


@edits('tiny')
def a_child_that_closes_too_early_without_a_word(path, old, new):
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
    child = subprocess.run(['head', '-c', '7'], input=new, stdout=fd, env=environment())
    assert child.returncode == 0
    os.write(fd, new[7:])
    os.close(fd)
    return new


@edits('tiny')
def a_dup_that_is_closed_too_early_and_told(path, old, new):
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
    other = os.dup(fd)
    with fails(errno.EINVAL):
        os.close(other)
    os.write(fd, new)
    os.close(fd)
    return new


@edits('bytes')
def a_draft_keeps_what_is_before(path, old, new):
    with open(path, 'r+b', buffering=0) as file:
        file.truncate(5000)
        assert path.read_bytes() == old[:5000]
        file.truncate(10007)
    return old[:5000] + bytes(5007)


@edits('bytes')
def a_hole_in_a_draft(path, old, new):
    with open(path, 'wb', buffering=0) as file:
        os.pwrite(file.fileno(), new[:3], 10004)
    return bytes(10004) + new[:3]


@edits('bytes')
def appending_to_what_was_truncated(path, old, new):
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_APPEND)
    for offset in range(0, 10007, 1001):
        os.write(fd, new[offset:offset + 1001])
    os.close(fd)
    return new


@edits('bytes')
def one_writer_completes_what_another_began(path, old, new):
    first, second = os.open(path, os.O_WRONLY | os.O_TRUNC), os.open(path, os.O_WRONLY)
    os.write(first, new[:5000])
    with fails(errno.EINVAL):
        os.close(first)
    assert path.read_bytes() == new[:5000]
    os.pwrite(second, new[5000:], 5000)
    os.close(second)
    return new


@edits('tiny')
def a_write_in_place_behind_an_accepted_draft(path, old, new):
    fd = os.open(path, os.O_RDWR | os.O_TRUNC)
    os.write(fd, new)
    os.close(os.dup(fd))
    os.pwrite(fd, old[:5], 3)
    os.close(fd)
    return overwritten(new, 3, old[:5])


@edits('tiny')
def a_second_truncation(path, old, new):
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
    os.write(fd, old)
    os.ftruncate(fd, 0)
    os.pwrite(fd, new, 0)
    os.close(fd)
    return new


@edits('tiny')
def an_fsync_of_a_complete_draft(path, old, new):
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
    os.write(fd, new)
    os.fsync(fd)
    status = json.loads((path.parent.parent / '.weightfs/status').read_text())
    assert [entry['path'] for entry in status['pending']] == ['variables/tiny']
    os.close(fd)
    return new


@edits('bytes')
def an_fallocate(path, old, new):
    with open(path, 'r+b') as file:
        os.posix_fallocate(file.fileno(), 0, 10007)
        os.posix_fallocate(file.fileno(), 5000, 5007)
        with fails(errno.EFBIG):
            os.posix_fallocate(file.fileno(), 0, 10008)
    return old


@edits('bytes')
def a_copy_by_the_kernel(path, old, new):
    other = path.with_name('large')
    with open(other, 'rb') as source, open(path, 'wb') as target:
        assert os.copy_file_range(source.fileno(), target.fileno(), 5000) == 5000
        assert os.sendfile(target.fileno(), source.fileno(), 5000, 5007) == 5007
    return other.read_bytes()[:10007]


@pytest.mark.parametrize('way', EDITS)
def test_what_an_edit_leaves_is_shown_and_saved(mount, plain_contents, way):
    name, edit = EDITS[way]
    old = plain_contents[name]
    expected = edit(mount.file(name), old, random.Random(way).randbytes(len(old)))
    assert mount.file(name).read_bytes() == expected
    assert saved(mount, name) == expected


# --------------------------------------------------------------------------------------- in place

@pytest.mark.parametrize('offset', [0, 1, 4095, 4096, 4097, 8190, 9999, 10000])
@pytest.mark.parametrize('size', [1, 2, 7])
def test_a_write_in_place_changes_these_bytes_only(mount, plain_contents, offset, size):
    part = bytes([0xa5]) * size
    with open(mount.file('bytes'), 'r+b', buffering=0) as file:
        assert os.pwrite(file.fileno(), part, offset) == size
    expected = overwritten(plain_contents['bytes'], offset, part)
    assert mount.file('bytes').read_bytes() == expected
    assert saved(mount, 'bytes') == expected


def test_a_map_still_dirty_at_a_commit_is_written_with_it(mount, plain_contents):
    with open(mount.file('pages'), 'r+b') as file:
        with mmap.mmap(file.fileno(), 0) as view:
            view[0:3] = b'abc'
            run('sync', '-f', mount.path)
            mount.commit()
            assert cat(mount.model, 'pages') == overwritten(plain_contents['pages'], 0, b'abc')


def test_a_write_is_seen_through_handles_and_maps_opened_before(mount, plain_contents):
    path = mount.file('pages')
    with open(path, 'rb', buffering=0) as reader, \
            mmap.mmap(reader.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert view[:] == os.pread(reader.fileno(), 16384, 0) == plain_contents['pages']
        with open(path, 'r+b', buffering=0) as file:
            os.pwrite(file.fileno(), b'new', 4095)
        assert os.pread(reader.fileno(), 3, 4095) == view[4095:4098] == b'new'


@pytest.mark.parametrize('size', [20, 4000, 100_000])
def test_a_write_across_the_end_is_cut_and_then_efbig(mount, plain_contents, size):
    with open(mount.file('bytes'), 'r+b', buffering=0) as file:
        assert os.pwrite(file.fileno(), b'e' * size, 9997) == 10
        with fails(errno.EFBIG):
            os.pwrite(file.fileno(), b'e', 10007)
        with fails(errno.EFBIG):
            os.pwrite(file.fileno(), b'e', 1 << 30)
    assert mount.file('bytes').read_bytes() == plain_contents['bytes'][:-10] + b'e' * 10


def test_appending_to_a_full_variable_is_efbig(mount, plain_contents):
    with open(mount.file('tiny'), 'ab', buffering=0) as file, fails(errno.EFBIG):
        file.write(b'x')
    assert mount.file('tiny').read_bytes() == plain_contents['tiny']


def test_nothing_can_be_written_into_an_empty_tensor(mount):
    with open(mount.file('empty'), 'r+b', buffering=0) as file, fails(errno.EFBIG):
        file.write(b'x')
    mount.file('empty').write_bytes(b'')
    assert mount.file('empty').stat().st_size == 0


@pytest.mark.parametrize('argument, name', [
    ('mlp', 'layer_with_weights-0/kernel'), ('many/many', None), ('sharded/sharded', 'step'),
    ('sliced/sliced', 'plain'), ('dtypes/dtypes', 'int4/matrix'), ('names/names', '%252E'),
    ('keras3', 'variables/3'), ('multi', 'w'), ('tf1', 'layer/b'), ('vocab', 'embedding'),
])
def test_models_of_all_kinds_can_be_edited(copy_of, argument, name):
    with Mount(copy_of(argument)) as m:
        path = m.file(name) if name else \
            next(path for path in m.file('').rglob('*') if path.is_file())
        content = bytes(byte ^ 1 for byte in path.read_bytes())
        path.write_bytes(content)
        relative = path.relative_to(m.path)
    assert cat(m.model, relative) == content


# ------------------------------------------------------------------------------------------ whole

def test_too_little_is_einval_from_close_and_the_old_content_is_back(mount, plain_contents):
    path = mount.file('bytes')
    file = open(path, 'wb', buffering=0)
    file.write(b'short')
    assert path.read_bytes() == b'short'
    with fails(errno.EINVAL):
        file.close()
    wait_for_content(path, plain_contents['bytes'])
    assert mount.status()['state'] == 'clean'


def test_what_was_dropped_is_in_the_log_and_in_the_status(mount, plain_contents):
    bash(f': > {mount.file("bytes")}')
    wait_for_content(mount.file('bytes'), plain_contents['bytes'])
    dropped, = mount.status()['dropped']
    assert dropped['path'] == 'variables/bytes'
    assert '0 bytes' in dropped['why'] and '10007' in dropped['why']
    assert 'variables/bytes' in mount.log() and dropped['why'] in mount.log()


def test_a_close_in_another_thread_of_the_opener_is_told(mount):
    fd, heard = os.open(mount.file('tiny'), os.O_WRONLY | os.O_TRUNC), []

    def close():
        try:
            os.close(fd)
        except OSError as error:
            heard.append(error.errno)

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()
    assert heard == [errno.EINVAL]


# ---------------------------------------------------------------------------------------- truncate

def test_truncate_to_the_own_size_is_nothing(mount, plain_contents):
    os.truncate(mount.file('bytes'), 10007)
    assert mount.file('bytes').read_bytes() == plain_contents['bytes']
    assert mount.status()['state'] == 'clean'


@pytest.mark.parametrize('size, number', [(0, errno.EINVAL), (10006, errno.EINVAL),
                                          (10008, errno.EFBIG), (1 << 40, errno.EFBIG)])
def test_truncate_to_another_size_is_refused(mount, plain_contents, size, number):
    with fails(number):
        os.truncate(mount.file('bytes'), size)
    assert mount.file('bytes').read_bytes() == plain_contents['bytes']


def test_ftruncate_beyond_the_size_is_efbig(mount):
    with open(mount.file('bytes'), 'r+b', buffering=0) as file, fails(errno.EFBIG):
        file.truncate(10008)


# ------------------------------------------------------------------------------- several handles

def test_a_draft_is_seen_by_other_readers(mount):
    path = mount.file('bytes')
    with open(path, 'rb', buffering=0) as reader:
        assert os.pread(reader.fileno(), 4, 0) != b'seen'
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
        os.write(fd, b'seen')
        assert os.pread(reader.fileno(), 100, 0) == b'seen'
        assert path.read_bytes() == b'seen' and path.stat().st_size == 4
        assert bash(f'cat {path}').stdout == 'seen'
        with fails(errno.EINVAL):
            os.close(fd)


def test_a_draft_that_is_dropped_leaves_old_handles_and_maps_with_the_old_bytes(
        mount, plain_contents):
    path, expected = mount.file('pages'), plain_contents['pages']
    with open(path, 'rb', buffering=0) as reader, \
            mmap.mmap(reader.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert view[:4] == expected[:4]
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
        os.write(fd, b'aaaa')
        with fails(errno.EINVAL):
            os.close(fd)
        wait_for_content(path, expected)
        assert os.pread(reader.fileno(), 16384, 0) == expected
        assert view[:] == expected


def test_a_reader_does_not_keep_a_draft_alive(mount, plain_contents):
    path = mount.file('bytes')
    with open(path, 'rb', buffering=0) as reader:
        assert bash(f': > {path}').returncode == 0
        wait_for_content(path, plain_contents['bytes'])
        assert os.pread(reader.fileno(), 10007, 0) == plain_contents['bytes']


def test_a_commit_takes_the_accepted_content_and_leaves_the_draft(mount, plain_contents):
    content = plain_contents['bytes'][::-1]
    with open(mount.file('pages'), 'r+b', buffering=0) as other:
        os.pwrite(other.fileno(), b'other', 0)
    fd = os.open(mount.file('bytes'), os.O_WRONLY | os.O_TRUNC)
    os.write(fd, content[:6000])
    mount.commit()
    assert cat(mount.model, 'bytes') == plain_contents['bytes']
    assert cat(mount.model, 'pages')[:5] == b'other'
    assert mount.file('bytes').read_bytes() == content[:6000]
    os.write(fd, content[6000:])
    os.close(fd)
    assert saved(mount, 'bytes') == content


def test_parallel_writers_of_different_variables(mount):
    def write(name):
        rng = random.Random(name)
        for _ in range(20):
            contents[name] = rng.randbytes(SIZES[name])
            mount.file(name).write_bytes(contents[name])

    contents = {}
    threads = [threading.Thread(target=write, args=(name,)) for name in SIZES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: mount.file(name).read_bytes() for name in SIZES} == contents
    code, said = mount.unmount()
    assert (code, {name: cat(mount.model, name) for name in SIZES}) == (FINE, contents), said


# --------------------------------------------------------------------------- attributes and syncs

def test_the_edited_file_has_a_new_mtime_and_no_checksum(mount):
    path, before = mount.file('bytes'), time.time()
    assert 'user.crc32c' in os.listxattr(path)
    path.write_bytes(bytes(10007))
    assert before - 1 <= path.stat().st_mtime <= time.time() + 1
    assert 'user.crc32c' not in os.listxattr(path)
    with fails(errno.ENODATA):
        os.getxattr(path, 'user.crc32c')
    mount.commit()
    assert 'user.crc32c' in os.listxattr(path)


def test_the_status_names_what_is_pending(mount):
    mount.file('tiny').write_bytes(bytes(20))
    mount.file('bytes').write_bytes(bytes(10007))
    assert mount.status()['state'] == 'edited'
    assert mount.pending() == {'variables/tiny', 'variables/bytes'}
    mount.commit()
    assert (mount.status()['state'], mount.pending()) == ('clean', set())
    assert mount.status()['last_commit']


@pytest.mark.parametrize('command', [
    'chown 1234:5678 {f}', 'cp -p {o} {f}', 'cp -a {o} {f}', 'rsync -a --inplace {o} {f}'])
def test_root_copies_the_file_of_another_owner(mount, root, plain_contents, tmp_path, command):
    other, file = tmp_path / 'other', mount.file('bytes')
    other.write_bytes(plain_contents['bytes'][::-1])
    os.chown(other, 1234, 5678)
    done = bash(command.format(f=file, o=other))
    assert (done.returncode, done.stderr) == (0, '')
    expected = plain_contents['bytes'][::1 if 'chown' in command else -1]
    assert file.read_bytes() == expected
    assert (file.stat().st_uid, file.stat().st_gid) == (os.geteuid(), os.getegid())


def test_a_name_that_no_file_can_have(mount):
    for change in (lambda path: path.stat(), lambda path: path.write_bytes(b''),
                   lambda path: path.mkdir(), lambda path: path.symlink_to('x'),
                   lambda path: mount.file('bytes').rename(path)):
        with fails(errno.ENAMETOOLONG):
            change(mount.path / ('x' * 256))
    with fails(errno.ENOENT):
        (mount.path / ('x' * 255)).stat()


def test_copying_a_variable_onto_another_with_all_its_attributes(copy_of):
    with Mount(copy_of('mlp')) as m:
        variables = m.file('optimizer/_variables')
        source, target = variables / '1', variables / '2'
        assert bash(f'cp -a {source} {target}').returncode == 0
        assert target.read_bytes() == source.read_bytes()


def test_the_whole_tree_can_be_copied_out(mount, tmp_path):
    done = bash(f'cp -a {mount.path}/variables {tmp_path}/out')
    assert (done.returncode, done.stderr) == (0, '')
    assert (tmp_path / 'out/bytes').read_bytes() == mount.file('bytes').read_bytes()


@pytest.mark.parametrize('flags', [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
@pytest.mark.parametrize('sync', [os.fsync, os.fdatasync])
def test_fsync_works_on_any_handle(mount, flags, sync):
    mount.file('tiny').write_bytes(bytes(20))
    fd = os.open(mount.file('tiny'), flags)
    sync(fd)
    os.close(fd)


def test_fsync_of_an_unfinished_draft_succeeds_and_does_not_accept_it(mount, plain_contents):
    fd = os.open(mount.file('bytes'), os.O_WRONLY | os.O_TRUNC)
    os.write(fd, b'unfinished')
    os.fsync(fd)
    with fails(errno.EINVAL):
        os.close(fd)
    wait_for_content(mount.file('bytes'), plain_contents['bytes'])


@pytest.mark.parametrize('command', ['sync {m}', 'sync -d {m}', 'sync -f {m}', 'sync {f}',
                                     'sync -d {f}'])
def test_sync_succeeds_and_commits_nothing(mount, plain_contents, command):
    mount.file('tiny').write_bytes(bytes(20))
    assert bash(command.format(m=mount.path, f=mount.file('tiny'))).returncode == 0
    assert cat(mount.model, 'tiny') == plain_contents['tiny']


def test_holes_cannot_be_punched(mount):
    done = run('fallocate', '--punch-hole', '-o', '0', '-l', '4096', mount.file('pages'))
    assert done.returncode != 0 and 'support' in done.stderr


def test_locks_work_between_processes(mount):
    with open(mount.file('tiny'), 'r+b') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert run('flock', '-n', mount.file('tiny'), 'true').returncode == 1


# --------------------------------------------------------------------------------------- refusals

REFUSED = {
    'create': 'echo x > {m}/variables/new', 'create at the top': 'echo x > {m}/new',
    'mkdir': 'mkdir {m}/variables/new', 'rm': 'rm -f {f}', 'mv': 'mv {f} {f}2',
    'mv over another': 'mv {f} {m}/variables/pages', 'ln': 'ln {f} {f}2',
    'symlink': 'ln -s x {m}/variables/link', 'rmdir': 'rmdir {m}/variables',
    'install': 'install -m 644 /dev/null {f}', 'fifo': 'mkfifo {m}/variables/fifo',
    'tensors.tsv': 'echo x >> {m}/tensors.tsv', 'model.json': ': > {m}/model.json',
}


@pytest.mark.parametrize('what', REFUSED)
def test_what_is_not_possible_is_eperm_with_a_line_in_the_log(mount, plain_contents, what):
    before = mount.log()
    done = bash(REFUSED[what].format(m=mount.path, f=mount.file('bytes')))
    assert done.returncode != 0 and 'Operation not permitted' in done.stderr
    assert len(mount.log().splitlines()) > len(before.splitlines())
    assert mount.file('bytes').read_bytes() == plain_contents['bytes']
    assert mount.status()['state'] == 'clean'


@pytest.mark.parametrize('argument, path', [
    ('mlp', 'config.json'), ('mlp', 'signatures/serving_default.json'),
    ('vocab', 'assets/words.txt')])
def test_what_cannot_be_edited_yet_is_eperm_with_a_line_in_the_log(copy_of, argument, path):
    with Mount(copy_of(argument)) as m:
        file, before = m.path / path, m.log()
        content = file.read_bytes()
        with fails(errno.EPERM):
            file.open('r+b')
        with fails(errno.EPERM):
            file.write_bytes(content)
        with fails(errno.EPERM):
            os.truncate(file, 0)
        assert path.split('/')[-1] in m.log()[len(before):]
        assert file.read_bytes() == content
