"""What `run`'s options let a program do to the world outside itself."""

import os
import shutil
import subprocess

import pytest

SHELL = "/bin/sh"


@pytest.fixture
def elsewhere(tmp_path_factory):
    """Return a folder beneath neither the test's own folder nor (by TMPDIR) a temporary one."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shown = os.path.realpath(folder)
    if shown.startswith("/tmp/"):
        folder = f"/var/tmp/pyldso-test-{os.getpid()}"
        os.mkdir(folder)
    yield str(folder)
    shutil.rmtree(folder)


def write_to(folder):
    return f"echo new > {folder}/file; echo $?"


def test_program_writes_beneath_its_folder_and_no_other(pyldso, tmp_path, elsewhere):
    assert pyldso("run", SHELL, "-c", write_to(tmp_path)).stdout == "0\n"
    refused = pyldso("run", "--warn", SHELL, "-c", write_to(elsewhere))
    assert refused.stdout == "2\n"
    assert f"pyldso: warning: {elsewhere}/file: writing there is not allowed\n" in refused.stderr
    assert "Permission denied" in refused.stderr
    assert os.listdir(elsewhere) == []


def test_program_that_is_started_in_another_folder_has_no_right_there(pyldso, elsewhere):
    script = f"cd {elsewhere}; exec {SHELL} -c 'echo new > file; echo $?'"
    assert pyldso("run", SHELL, "-c", script).stdout == "2\n"
    assert os.listdir(elsewhere) == []


def test_allow_write_adds_folders(pyldso, tmp_path, elsewhere):
    options = ("--allow-write", elsewhere, "--allow-write", "/usr/share")
    assert pyldso("run", *options, SHELL, "-c", write_to(elsewhere)).stdout == "0\n"
    assert pyldso("run", *options, SHELL, "-c", write_to(tmp_path)).stdout == "0\n"
    unknown = pyldso("run", "--allow-write", "/nowhere", SHELL)
    assert unknown.returncode == 2
    assert "/nowhere: No such file or directory" in unknown.stderr


def test_read_only_leaves_devices_and_what_is_allowed(pyldso, tmp_path, elsewhere):
    script = f"{write_to(tmp_path)}; {write_to('/tmp')}; echo x > /dev/null; echo $?"
    assert pyldso("run", "--read-only", SHELL, "-c", script).stdout == "2\n2\n0\n"
    options = ("--read-only", "--allow-write", elsewhere)
    assert pyldso("run", *options, SHELL, "-c", write_to(elsewhere)).stdout == "0\n"


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("/usr/sbin/chroot / /bin/true", "system call chroot: only for the privileged"),
        ("kill -CONT 1", "signal to process 1: other processes are out of reach"),
        ("mknod device b 8 1", "mknod: devices are not for programs"),
        ("cat /proc/self/mem", "/mem: the guest's memory is not at these addresses"),
        ("cat /proc/self/smaps", "/smaps: only /proc/self/maps is the guest's"),
    ],
)
def test_what_is_refused_is_told_once(command, what, pyldso):
    ended = pyldso("run", "--warn", SHELL, "-c", f"{command}; echo $?")
    assert ended.stderr.count(f"{what}\n") == 1, ended.stderr
    assert ended.stdout.strip() != "0"


@pytest.fixture
def sysroot(tmp_path):
    """A folder with a shell, ls, cat, what they need, and links that would lead out."""
    root = tmp_path / "sysroot"
    for program in ("/bin/sh", "/bin/cat", "/bin/ls", "/bin/readlink"):
        files = [program]
        listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        files += [word for word in listed.split() if word.startswith("/")]
        for file in files:
            target = root / file.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    for folder in ("etc", "home", "tmp"):
        (root / folder).mkdir()
    (root / "etc/name").write_text("sysroot\n")
    (root / "home/name").symlink_to("/etc/name")
    (root / "home/dots").symlink_to("../../../../../../../../../etc/name")
    (root / "home/passwd").symlink_to("../../../../../../../../../etc/passwd")
    return root


@pytest.mark.parametrize("mode", [(), ("--interp",)])
def test_root_is_all_that_the_program_sees(mode, pyldso, sysroot):
    script = """
        cd home; pwd; cat name dots ../etc/name ../../etc/name
        cat passwd; cat /etc/passwd; cat /proc/self/root/etc/passwd; cat /proc/1/cmdline
        cd /proc/self/fd; cat ../root/etc/passwd ../cwd/../../../../etc/passwd
        ls -d / /home/; readlink /proc/self/exe; echo x > /dev/null; cat /dev/null
        exec 3</etc/name; cat /proc/self/fd/3; readlink /proc/self/cwd
        echo new > /tmp/new; echo new > /home/new; cat /tmp/new
    """
    ended = pyldso("run", *mode, "--root", sysroot, SHELL, "-c", script)
    printed = "/home\n" + 4 * "sysroot\n" + "/\n/home/\n/bin/readlink\nsysroot\n"
    assert ended.stdout.replace(f"/proc/{os.getpid()}/fd", "").startswith(printed)
    assert ended.stdout.endswith("new\n")
    denials = [line for line in ended.stderr.splitlines() if "No such file" in line]
    assert len(denials) == 6, ended.stderr
    assert "cannot create /home/new" in ended.stderr


def test_libraries_come_from_the_root(pyldso, sysroot):
    listed = pyldso("run", "--root", sysroot, "--list", "/bin/ls")
    assert listed.returncode == 0
    (libc,) = sysroot.rglob("libc.so.6")
    libc.unlink()
    ended = pyldso("run", "--root", sysroot, "/bin/ls")
    assert ended.returncode == 127
    assert "libc.so.6: cannot open shared object file" in ended.stderr
    assert pyldso("run", "--root", sysroot, sysroot / "bin/ls").returncode == 127
    assert pyldso("run", "--root", "/nowhere", "/bin/ls").returncode == 2


def test_debug_output_that_the_program_chooses_is_bound_by_the_policy(pyldso, tmp_path, elsewhere):
    for folder in (tmp_path, elsewhere):
        script = f"LD_DEBUG=files LD_DEBUG_OUTPUT={folder}/log {SHELL} -c 'echo done'"
        pyldso("run", SHELL, "-c", script)
    assert any(name.startswith("log.") for name in os.listdir(tmp_path))
    assert os.listdir(elsewhere) == []


@pytest.mark.parametrize("mode", [(), ("--interp",)])
def test_program_runs_in_a_folder_that_was_removed(mode, pyldso_script, tmp_path):
    (tmp_path / "gone").mkdir()
    command = " ".join([str(pyldso_script), "run", *mode, "/bin/echo", "here"])
    script = f"cd gone; rmdir ../gone; {command}"
    ended = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.stdout, ended.returncode) == ("here\n", 0), ended.stderr
