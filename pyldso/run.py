"""`run`: the kernel's loader and the dynamic linker for one program, then the program itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import TYPE_CHECKING, NamedTuple

from pyldso.elf.constants import DT
from pyldso.events import EventStream, Topic
from pyldso.kernel.exec import (
    InitialStack,
    Program,
    build_stack,
    cannot_execute,
    interpreter_of,
    is_script,
    load_program,
)
from pyldso.kernel.host import CAP_NET_ADMIN, give_up_capability
from pyldso.kernel.policy import Policy
from pyldso.kernel.process import Process
from pyldso.kernel.status import (
    Exhausted,
    Exited,
    ExitStatus,
    Inherited,
    Killed,
    ProcessEnded,
    ProcessReplaced,
)
from pyldso.ldso import link_map, tls
from pyldso.ldso.dl import DlFunctions
from pyldso.ldso.errors import DlError, VersionError
from pyldso.ldso.lookup import find_in
from pyldso.ldso.namespace import Namespace
from pyldso.ldso.personality import Personality, UnknownLibc
from pyldso.ldso.program import acceptance, load_needed, map_executable, map_listed
from pyldso.ldso.search import LibrarySearch
from pyldso.ldso.segments import make_stack_executable, wants_executable_stack
from pyldso.ldso.startup import (
    announce_final_statistics,
    announce_statistics,
    build_scopes,
    check_isa_level,
    enter,
    find_personality,
    publish_link_maps,
    relocate_all,
)
from pyldso.ldso.versions import check_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyldso.kernel.files import Files
    from pyldso.kernel.guest_calls import Calls
    from pyldso.kernel.limits import Budget, Limits
    from pyldso.ldso.load import Missing

Write = Callable[[str], object]

TUNING_VARIABLES = (b"GLIBC_TUNABLES", b"MALLOC_", b"LD_HWCAP_MASK")
"""How the names of variables begin that set tunables of glibc."""
_PYTHON_FRAMES = 10_000
"""The recursion limit: what as many nested guest calls take as a process may make."""


def write_out(text: str) -> None:
    """Write to standard output, unless it was closed before the program started."""
    if sys.stdout is not None:
        sys.stdout.write(text)


def write_err(text: str) -> None:
    """Write to standard error, unless it was closed before the program started."""
    if sys.stderr is not None:
        sys.stderr.write(text)


class RunOptions(NamedTuple):
    """What to run and how; LD_* variables of `environment`, the guest's, count as for ld.so."""

    program: str
    arguments: Sequence[str] = ()
    environment: Mapping[bytes, bytes] = os.environb
    debug: str = ""
    debug_output: str | None = None
    list_only: bool = False
    verify_only: bool = False
    strace: bool = False
    use_interp: bool = False
    aslr_seed: int | None = None
    library_path: str | None = None
    preload: Sequence[str] = ()
    inhibit_cache: bool = False
    inhibit_rpath: str | None = None
    argv0: str | None = None
    bind_now: bool = False
    warn: bool = False
    first_process: int = 0
    first_stderr: tuple[int, int] | None = None
    policy: Policy | None = None
    limits: Limits | None = None
    budget: Budget | None = None
    inherited: Inherited = Inherited()
    execfn: bytes = b""
    program_fd: int = -1
    out: Write = write_out
    err: Write = write_err

    def variable(self, name: str) -> str:
        """Return a variable of the guest's environment, empty where it is not set."""
        return os.fsdecode(self.environment.get(os.fsencode(name), b""))

    def has_variable(self, name: str) -> bool:
        """Tell whether a variable is set in the guest's environment, be it to nothing."""
        return os.fsencode(name) in self.environment

    @property
    def is_listing(self) -> bool:
        """Tell whether only the libraries are to be listed."""
        return self.list_only or self.has_variable("LD_TRACE_LOADED_OBJECTS")

    @property
    def argv(self) -> list[str]:
        """The guest's argument vector."""
        return [self.argv0 if self.argv0 is not None else self.program, *self.arguments]


def run(options: RunOptions) -> int:
    """Run a program, and what it executes in its place, to the end; return the exit status.

    Raises LoadError with ld.so's message where a program cannot be started.
    """
    sys.setrecursionlimit(_PYTHON_FRAMES)
    options = options._replace(first_process=os.getpid(), first_stderr=standard_error())
    if options.policy is None:  # once, before the program can change its current folder
        options = options._replace(policy=Policy.default())
    if options.limits is not None:
        from pyldso.kernel.limits import Budget  # start-up: only where there is a limit

        options = options._replace(budget=Budget(options.limits))
    while True:
        try:
            return run_program(options)
        except ProcessReplaced as replaced:
            options = options_after_exec(options, replaced)


def options_after_exec(options: RunOptions, replaced: ProcessReplaced) -> RunOptions:
    """Return the options for the program that execve(2) named: those of ld.so's own are gone."""
    pairs = (entry.partition(b"=") for entry in replaced.envp)
    return options._replace(
        program=replaced.path,
        argv0=os.fsdecode(replaced.argv[0]) if replaced.argv else "",
        arguments=[os.fsdecode(argument) for argument in replaced.argv[1:]],
        environment={name: value for name, equals, value in pairs if equals},
        library_path=None,
        preload=(),
        inherited=replaced.inherited,
        execfn=replaced.execfn,
        program_fd=replaced.program_fd,
    )


def run_program(options: RunOptions) -> int:
    """Run one program to its end and return its exit status; raises LoadError."""
    process = new_process(options, EventStream())
    options = options._replace(err=private_err(options, process))
    if not watch(process, options):
        return 0
    path = find_program(process.files, options)
    options = options._replace(execfn=options.execfn or os.fsencode(path))
    process.execfn = options.execfn
    if options.program_fd >= 0:
        path = process.files.hold_program(options.program_fd)
    elif is_script(process.files, path):
        path, argv = interpreter_of(process.files, path, vectors(options)[0])
        arguments = [os.fsdecode(argument) for argument in argv[1:]]
        options = options._replace(argv0=os.fsdecode(argv[0]), arguments=arguments)
    try:
        if options.use_interp:
            return start_interpreter(options, process, path)
        return link_and_run(options, process, path)
    except UnknownLibc as unknown:
        options.err(f"pyldso: warning: {unknown}: starting the program's own dynamic linker\n")
        again = new_process(options, process.events)
        again.execfn = options.execfn
        if options.program_fd >= 0:
            again.files.hold_program(options.program_fd)
        return start_interpreter(options, again, path)
    except DlError as error:
        raise error.at_start(options.argv[0]) from None
    except ProcessEnded as end:  # before it began: a limit was reached
        return finish(options, process, process.end(end.status))


def watch(process: Process, options: RunOptions) -> bool:
    """Subscribe what the options and LD_DEBUG ask for; false where only help was wanted."""
    if options.warn:
        from pyldso.trace.warn import WarningPrinter

        process.events.subscribe(Topic.UNSUPPORTED, WarningPrinter(options.err))
    words = f"{options.debug},{options.variable('LD_DEBUG')}"
    if words != ",":
        from pyldso.trace.ld_debug import HELP, LdDebugPrinter, help_text, parse_words

        topics, unknown = parse_words(words)
        for word in unknown:
            options.err(f"warning: debug option `{word}' unknown; try LD_DEBUG=help\n")
        if HELP in words.replace(":", ",").split(","):
            options.out(help_text())
            return False
        write = options.err
        if name := options.debug_output or options.variable("LD_DEBUG_OUTPUT"):
            path = os.fsencode(f"{name}.{os.getpid()}")
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            # The variable is the guest's, the option is the user's, whom no policy binds.
            opened = os.open if options.debug_output else process.files.open_here
            fd = process.files.keep_until_discard(opened(path, flags, 0o666))
            write = open(fd, "a", buffering=1, closefd=False).write  # noqa: SIM115
        process.events.subscribe(topics, LdDebugPrinter(write))
    return True


def private_err(options: RunOptions, process: Process) -> Write:
    """Return what writes to standard error even when the guest has closed it."""
    if options.err is not write_err or sys.stderr is None:
        return options.err
    try:
        fd = process.files.keep_until_discard(os.dup(sys.stderr.fileno()))
    except OSError:  # the program that was here before has closed it
        return lambda text: None
    return open(fd, "w", buffering=1, errors="backslashreplace", closefd=False).write


def watch_system_calls(options: RunOptions, process: Process) -> None:
    """Print, where asked for, the system calls that follow on execve(2), and that one first."""
    if options.strace:
        from pyldso.kernel.events import ProcessStarted
        from pyldso.trace.strace import StracePrinter

        def thread() -> int:
            return process.thread.tid if len(process.threads) > 1 else 0

        printer = StracePrinter(options.err, process.memory, thread)
        process.events.subscribe(Topic.SYSCALLS, printer)
        argv, envp = vectors(options)
        process.events.emit(ProcessStarted(os.fsdecode(options.execfn), tuple(argv), tuple(envp)))


def find_program(files: Files, options: RunOptions) -> str:
    """Return the path of a program: as it is, or in the folders of PATH where it has no slash."""
    name = options.program
    if "/" in name or files.is_file(name):
        return name
    for folder in (options.variable("PATH") or os.defpath).split(":"):
        path = os.path.join(folder or ".", name)
        if files.is_file(path, os.X_OK):
            return path
    return name


def new_process(options: RunOptions, events: EventStream) -> Process:
    """Return an empty process."""
    if options.policy is not None and options.policy.has_network:
        give_up_capability(CAP_NET_ADMIN)  # the network is for use, not to be changed
    return Process(
        events,
        options.policy,
        options.budget,
        aslr_seed=options.aslr_seed,
        inherited=options.inherited,
    )


def vectors(options: RunOptions) -> tuple[list[bytes], list[bytes]]:
    """Return the guest's argv and envp."""
    argv = [os.fsencode(argument) for argument in options.argv]
    return argv, [name + b"=" + value for name, value in options.environment.items()]


# ---- the kernel's way: the file named by PT_INTERP links ----


def start_interpreter(options: RunOptions, process: Process, path: str) -> int:
    """Run the program as the kernel does: enter its PT_INTERP file, or the program itself."""
    options = options._replace(environment=interpreter_environment(options))
    argv, envp = vectors(options)
    try:
        program, _ = load_program(process, path, argv, envp)
    except OSError as error:
        raise cannot_execute(path, error) from None
    watch_system_calls(options, process)
    return finish(options, process, run_process(process, program.start))


def interpreter_environment(options: RunOptions) -> Mapping[bytes, bytes]:
    """Return the guest's variables with those that tell its own ld.so what the options ask for."""
    given = {
        b"LD_DEBUG": options.debug,
        b"LD_DEBUG_OUTPUT": options.debug_output or "",
        b"LD_TRACE_LOADED_OBJECTS": "1" if options.list_only else "",
        b"LD_LIBRARY_PATH": options.library_path or "",
        b"LD_PRELOAD": ":".join(options.preload),
        b"LD_BIND_NOW": "1" if options.bind_now else "",
    }
    variables = {name: os.fsencode(text) for name, text in given.items() if text}
    return {**options.environment, **variables}


def run_process(process: Process, pc: int) -> ExitStatus:
    """Run a process from `pc` to its end; ProcessReplaced leaves nothing of it behind."""
    try:
        return process.run(pc)
    except ProcessReplaced as replaced:
        replaced.inherited = process.heritage()
        process.discard()
        raise


def finish(options: RunOptions, process: Process, status: ExitStatus) -> int:
    """Tell of a fatal signal, and return the exit status as a shell counts it.

    Of other processes than the first it is told where the user reads: what a program reads from
    its children's standard error is what they have written.
    """
    if isinstance(status, Killed):
        is_first = os.getpid() == options.first_process
        if not status.is_sent and (is_first or standard_error() == options.first_stderr):
            from pyldso.trace.symbolize import describe_end

            options.err(f"{options.argv[0]}: {describe_end(process, status)}\n")
        if not is_first:
            die_of(status.signal)  # another process of the guest waits, and looks for the signal
    elif isinstance(status, Exhausted) and status.reason:
        options.err(f"{options.argv[0]}: stopped: {status.reason}\n")
    return status.exit_status


def standard_error() -> tuple[int, int] | None:
    """Return what names the file that is descriptor 2 (device, inode), None where it is closed."""
    try:
        status = os.fstat(2)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def die_of(number: int) -> None:
    """End this process by a signal, without a core file of the emulator's."""
    import resource
    import signal

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)


# ---- our own way: pyldso links ----


def link_and_run(options: RunOptions, process: Process, path: str) -> int:
    """Be the dynamic linker: load, relocate, initialise, and enter the program."""
    started = perf_counter_ns()
    events = process.events
    namespace = new_namespace(options, process)
    if options.verify_only:
        return acceptance(namespace, path)
    if options.list_only:
        map_listed(namespace, path)
        return list_objects(namespace, options, load_libraries(namespace, options))
    program = map_executable(namespace, path)
    watch_system_calls(options, process)
    if program.interp is None:
        argv, envp = vectors(options)
        build_stack(process, program, argv, envp)
        return finish(options, process, run_process(process, program.entry))
    if names := audit_libraries(namespace, options):
        status = run_audited(options, namespace, program, names)
        return finish(options, process, status)
    missing = load_libraries(namespace, options)
    if options.is_listing:
        return list_objects(namespace, options, missing)
    for warning in check_versions(namespace, namespace.objects):
        options.err(f"{warning}\n")
    check_isa_level(namespace)
    personality = find_personality(namespace)
    build_scopes(namespace)
    loaded = perf_counter_ns()
    # From here on the set of files is fixed; guest code runs from the first IFUNC on, so the stack
    # and the thread pointer must be there.
    stack = prepare_start(options, namespace, program, personality)
    publish_link_maps(namespace)

    def link() -> Calls:
        link_map.publish_r_debug(namespace)
        relocate_all(namespace)
        relocated = perf_counter_ns()
        tls.fill_static_blocks(namespace)
        namespace.search.release_cache()
        link_map.set_debug_state(namespace, link_map.RT_CONSISTENT)
        personality.prepare(namespace, stack)
        if events.wanted & Topic.STATISTICS:
            announce_statistics(namespace, started, loaded, relocated)
        yield from personality.initialise(namespace)
        enter(namespace, program, stack)
        return None

    # The first thing to run is a trap: what `link` calls in the guest runs under the same loop,
    # limits and signals as the program itself.
    status = run_process(process, process.stubs.add_trap(link))
    if events.wanted & Topic.STATISTICS:
        announce_final_statistics(namespace)
    return finish(options, process, status)


def prepare_start(
    options: RunOptions,
    namespace: Namespace,
    program: Program,
    personality: Personality,
    surplus: int = tls.SURPLUS,
) -> InitialStack:
    """Make the stack and the thread pointer, and what the C library calls of the dynamic linker."""
    process = namespace.process
    if any(name.startswith(TUNING_VARIABLES) for name in options.environment):
        from pyldso.ldso import tunables  # start-up: seldom wanted

        namespace.tunables = tunables.requested(options.environment)
        namespace.registers_rseq = bool(tunables.wanted(namespace, tunables.RSEQ, 1))
        surplus += tunables.wanted(namespace, tunables.STATIC_TLS, 0)
    namespace.tls.format = personality.threads
    namespace.adjusts_dynamic = personality.adjusts_dynamic
    tls.reserve_static(namespace, personality.control_block_size(namespace), surplus)
    argv, envp = vectors(options)
    stack = build_stack(process, program, argv, envp)
    if options.has_variable("LD_SHOW_AUXV"):
        from pyldso.trace.auxv import auxiliary_vector  # start-up: seldom wanted

        options.out(auxiliary_vector(process.memory, stack.auxv_address))
    namespace.arguments = (stack.argc, stack.argv_address, stack.envp_address)
    if namespace.has_executable_stack and not wants_executable_stack(program.phdrs):
        make_stack_executable(namespace)  # for a library
    namespace.argv0_address = process.memory.read_u64(stack.argv_address)
    tls.install(namespace, stack.random_address)
    namespace.dl_functions = DlFunctions(namespace)
    personality.install(namespace)
    return stack


def audit_libraries(namespace: Namespace, options: RunOptions) -> Sequence[str]:
    """Return the audit libraries that LD_AUDIT and the program name; only glibc's ld.so has any."""
    variable, dynamic = options.variable("LD_AUDIT"), namespace.program.dynamic
    if not variable and DT.AUDIT not in dynamic and DT.DEPAUDIT not in dynamic:
        return []
    if not find_in(namespace, namespace.interpreter, b"_rtld_global_ro"):
        return []
    from pyldso.ldso.audited import audit_names  # start-up: seldom wanted

    return audit_names(namespace, variable)


def run_audited(
    options: RunOptions, namespace: Namespace, program: Program, names: Sequence[str]
) -> ExitStatus:
    """Be the dynamic linker under the eyes of audit libraries, which run before all others load."""
    from pyldso.ldso import audited  # start-up: seldom wanted

    process = namespace.process
    kind = audited.audited_personality(namespace)
    stack = prepare_start(options, namespace, program, kind, audited.SURPLUS)

    def link() -> Calls:
        publish_link_maps(namespace)
        link_map.publish_r_debug(namespace)
        yield from audited.begin_audit(namespace, names, kind, stack)
        missing = load_libraries(namespace, options)
        if options.is_listing:
            list_objects(namespace, options, missing)
            raise ProcessEnded(Exited(0))
        for warning in check_versions(namespace, namespace.objects):
            options.err(f"{warning}\n")
        check_isa_level(namespace)
        personality = find_personality(namespace)
        build_scopes(namespace)
        for dso in namespace.objects[1:]:
            tls.add_late_module(namespace, dso)
        publish_link_maps(namespace)
        relocate_all(namespace)
        for dso in namespace.objects:
            tls.fill_late_block(namespace, dso)
        namespace.search.release_cache()
        link_map.set_debug_state(namespace, link_map.RT_CONSISTENT)
        personality.prepare(namespace, stack)
        yield from personality.initialise(namespace)
        enter(namespace, program, stack)
        return None

    return run_process(process, process.stubs.add_trap(link))


def new_namespace(options: RunOptions, process: Process) -> Namespace:
    """Return the empty namespace, with the settings of options and environment."""
    library_path = options.library_path
    if library_path is None:
        library_path = options.variable("LD_LIBRARY_PATH")
    search = LibrarySearch(
        process,
        library_path,
        inhibit_cache=options.inhibit_cache,
        inhibit_rpath=options.inhibit_rpath,
    )
    namespace = Namespace(process, search, options.argv[0])
    namespace.warn = lambda line: options.err(f"{line}\n")
    # Whether a library is used shows only where all is bound.
    is_eager = options.bind_now or bool(process.events.wanted & Topic.UNUSED)
    namespace.is_lazy = not (is_eager or options.variable("LD_BIND_NOW"))
    namespace.bind_not = bool(options.variable("LD_BIND_NOT"))
    namespace.verbose = bool(options.variable("LD_WARN"))
    namespace.origin_path = options.variable("LD_ORIGIN_PATH")
    namespace.dynamic_weak = options.has_variable("LD_DYNAMIC_WEAK")
    return namespace


def load_libraries(namespace: Namespace, options: RunOptions) -> list[Missing]:
    """Load preloads and all that is needed; return what is missing (only when listing)."""
    preloads = [(name, "LD_PRELOAD") for name in split_names(options.variable("LD_PRELOAD"))]
    for item in options.preload:
        preloads += [(name, "--preload") for name in split_names(item)]
    return load_needed(namespace, preloads, is_lenient=options.is_listing)


def split_names(text: str) -> list[str]:
    """Return the items of LD_PRELOAD, which spaces or colons separate."""
    return text.replace(":", " ").split()


def list_objects(namespace: Namespace, options: RunOptions, missing: Sequence[Missing]) -> int:
    """Print what ldd(1) prints, and return its status."""
    from pyldso.trace import ldd  # start-up: seldom wanted

    build_scopes(namespace)
    if namespace.events.wanted & Topic.UNUSED:
        unused = ldd.unused_dependencies(namespace, is_lazy=namespace.is_lazy)
        lines = ["Unused direct dependencies:", *(f"\t{path}" for path in unused), ""]
        options.out("\n".join(lines) if unused else "")
        return int(bool(unused))
    for line in versions_or_errors(namespace):
        options.err(f"{line}\n")
    options.out(ldd.listing(namespace, missing))
    if options.variable("LD_WARN"):
        for line in ldd.undefined_symbols(namespace, is_lazy=namespace.is_lazy):
            options.err(f"{line}\n")
    if options.variable("LD_VERBOSE"):
        options.out(ldd.version_information(namespace))
    return 0


def versions_or_errors(namespace: Namespace) -> list[str]:
    """Return what checking the versions of all files has to say, be it fatal or not."""
    try:
        return check_versions(namespace, namespace.objects)
    except VersionError as error:
        return str(error).split("\n")
