// The system calls that an isolate's process may still make once it is confined, with their numbers on each architecture;
// whatever is not named here does not exist for it. Found by tracing hosts under the whole of the tests, with what other
// versions of the C library, V8 and tokio call for the same ends.

/** What one argument must be; only its low 32 bits count, which is what the kernel reads of these. */
export type ArgumentTest =
  | { readonly argument: number; readonly mask?: number; readonly oneOf: readonly (number | "own pid")[] }
  /** All 64 bits are zero: a pointer that points nowhere. */
  | { readonly argument: number; readonly isNull: true };

export interface SystemCall {
  /** Its numbers; `null` where the architecture has no such call. */
  readonly x86_64: number;
  readonly aarch64: number | null;
  /** Each must hold, or the call answers `otherwise`. */
  readonly tests?: readonly ArgumentTest[];
  readonly otherwise?: number;
}

/** Error numbers, the same on both architectures. */
export const errno = { EPERM: 1, EACCES: 13, ENOTTY: 25, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;

function plain(x86_64: number, aarch64: number | null): SystemCall {
  return { x86_64, aarch64 };
}

/** The flags of `open` that let something be written or made: O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_TMPFILE. */
const openForWriting = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000;

const CLONE_THREAD = 0x10000;
/** CLONE_NEWTIME is outside what `clone` can ask for. */
const newNamespaces = 0x7e020000;

/** The table, with IPv6 or without. */
export function systemCalls(ipv6: boolean): Readonly<Record<string, SystemCall>> {
  const readingOnly = (argument: number) => ({
    tests: [{ argument, mask: openForWriting, oneOf: [0] }],
    otherwise: errno.EACCES,
  });
  return {
    // Memory.
    brk: plain(12, 214),
    madvise: plain(28, 233),
    membarrier: plain(324, 283),
    memfd_create: plain(319, 279),
    mincore: plain(27, 232),
    mmap: plain(9, 222),
    mprotect: plain(10, 226),
    mremap: plain(25, 216),
    munmap: plain(11, 215),
    pkey_alloc: plain(330, 289),
    pkey_free: plain(331, 290),
    pkey_mprotect: plain(329, 288),

    // Threads of this process. `clone3` is missing: its flags stand in memory, where no filter sees them, and the C library
    // takes `clone` instead.
    clone: {
      ...plain(56, 220),
      tests: [{ argument: 0, mask: CLONE_THREAD | newNamespaces, oneOf: [CLONE_THREAD] }],
      otherwise: errno.EPERM,
    },
    exit: plain(60, 93),
    exit_group: plain(231, 94),
    futex: plain(202, 98),
    futex_waitv: plain(449, 449),
    get_robust_list: plain(274, 100),
    getcpu: plain(309, 168),
    getpid: plain(39, 172),
    getppid: plain(110, 173),
    getpriority: plain(140, 141),
    gettid: plain(186, 178),
    restart_syscall: plain(219, 128),
    rseq: plain(334, 293),
    sched_get_priority_max: plain(146, 125),
    sched_get_priority_min: plain(147, 126),
    sched_getaffinity: plain(204, 123),
    sched_getparam: plain(143, 121),
    sched_getscheduler: plain(145, 120),
    sched_yield: plain(24, 124),
    set_robust_list: plain(273, 99),
    set_tid_address: plain(218, 96),

    // Signals to this process alone: `abort` sends one.
    rt_sigaction: plain(13, 134),
    rt_sigprocmask: plain(14, 135),
    rt_sigreturn: plain(15, 139),
    rt_sigtimedwait: plain(128, 137),
    sigaltstack: plain(131, 132),
    tgkill: { ...plain(234, 131), tests: [{ argument: 0, oneOf: ["own pid"] }], otherwise: errno.EPERM },

    // Time.
    clock_getres: plain(229, 114),
    clock_gettime: plain(228, 113),
    clock_nanosleep: plain(230, 115),
    gettimeofday: plain(96, 169),
    nanosleep: plain(35, 101),
    time: plain(201, null),
    times: plain(100, 153),

    // What is open already. `pwrite64` is missing: Deno's caches alone call it.
    close: plain(3, 57),
    dup: plain(32, 23),
    dup2: plain(33, null),
    dup3: plain(292, 24),
    epoll_create1: plain(291, 20),
    epoll_ctl: plain(233, 21),
    epoll_pwait: plain(281, 22),
    epoll_pwait2: plain(441, 441),
    epoll_wait: plain(232, null),
    eventfd2: plain(290, 19),
    // Descriptors' own flags and locks; F_SETOWN would send signals to others.
    fcntl: {
      ...plain(72, 25),
      tests: [{ argument: 1, oneOf: [0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030] }],
      otherwise: errno.EPERM,
    },
    fstat: plain(5, 80),
    // TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX.
    ioctl: {
      ...plain(16, 29),
      tests: [{ argument: 1, oneOf: [0x5401, 0x5413, 0x541b, 0x5421, 0x5451] }],
      otherwise: errno.ENOTTY,
    },
    lseek: plain(8, 62),
    pipe: plain(22, null),
    pipe2: plain(293, 59),
    poll: plain(7, null),
    ppoll: plain(271, 73),
    pread64: plain(17, 67),
    preadv: plain(295, 69),
    pselect6: plain(270, 72),
    read: plain(0, 63),
    readv: plain(19, 65),
    select: plain(23, null),
    write: plain(1, 64),
    writev: plain(20, 66),

    // Files, to read: names of hosts, time zones, certificates.
    access: plain(21, null),
    faccessat: plain(269, 48),
    faccessat2: plain(439, 439),
    fstatfs: plain(138, 44),
    getcwd: plain(79, 17),
    getdents64: plain(217, 61),
    lstat: plain(6, null),
    newfstatat: plain(262, 79),
    open: { ...plain(2, null), ...readingOnly(1) },
    openat: { ...plain(257, 56), ...readingOnly(2) },
    readlink: plain(89, null),
    readlinkat: plain(267, 78),
    stat: plain(4, null),
    statfs: plain(137, 43),
    statx: plain(332, 291),

    // The network: TCP and UDP, outwards. `listen` and `accept` are missing, and so are unix sockets: the platform's are
    // connected by now.
    bind: plain(49, 200),
    connect: plain(42, 203),
    getpeername: plain(52, 205),
    getsockname: plain(51, 204),
    getsockopt: plain(55, 209),
    recvfrom: plain(45, 207),
    recvmmsg: plain(299, 243),
    recvmsg: plain(47, 212),
    sendmmsg: plain(307, 269),
    sendmsg: plain(46, 211),
    sendto: plain(44, 206),
    setsockopt: plain(54, 208),
    shutdown: plain(48, 210),
    // TCP or UDP, by name or as the default.
    socket: {
      ...plain(41, 198),
      tests: [
        { argument: 0, oneOf: ipv6 ? [AF_INET, AF_INET6] : [AF_INET] },
        { argument: 1, mask: 0xf, oneOf: [SOCK_STREAM, SOCK_DGRAM] },
        { argument: 2, oneOf: [0, 6, 17] },
      ],
      otherwise: errno.EAFNOSUPPORT,
    },
    // Two connected ends within the process, which is how Deno hears of signals; no other socket can be reached from them.
    socketpair: {
      ...plain(53, 199),
      tests: [{ argument: 0, oneOf: [AF_UNIX] }, { argument: 1, mask: 0xf, oneOf: [SOCK_STREAM] }],
      otherwise: errno.EAFNOSUPPORT,
    },

    // What the process is.
    capget: plain(125, 90),
    getegid: plain(108, 177),
    geteuid: plain(107, 175),
    getgid: plain(104, 176),
    getgroups: plain(115, 158),
    getrandom: plain(318, 278),
    getresgid: plain(120, 150),
    getresuid: plain(118, 148),
    getrlimit: plain(97, 163),
    getrusage: plain(98, 165),
    getuid: plain(102, 174),
    // PR_SET_NAME, PR_GET_NAME, PR_SET_VMA.
    prctl: {
      ...plain(157, 167),
      tests: [{ argument: 0, oneOf: [15, 16, 0x53564d41] }],
      otherwise: errno.EPERM,
    },
    // Its own limits, to read.
    prlimit64: {
      ...plain(302, 261),
      tests: [{ argument: 0, oneOf: [0, "own pid"] }, { argument: 2, isNull: true }],
      otherwise: errno.EPERM,
    },
    sysinfo: plain(99, 179),
    uname: plain(63, 160),
  };
}
