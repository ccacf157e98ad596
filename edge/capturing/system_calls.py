"""Numbers of system calls on the machines that vehicles have, as far as a filter of them names them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_TABLE = """
_llseek                     -     -     140
_newselect                  -     -     142
accept                     43   202     285
accept4                   288   242     366
access                     21     -      33
acct                      163    89      51
add_key                   248   217     309
adjtimex                  159   171     124
arm_fadvise64_64            -     -     270
bind                       49   200     282
bpf                       321   280     386
brk                        12   214      45
cacheflush                  -     -  983042
capset                    126    91     185
chmod                      90     -      15
chown                      92     -     182
chown32                     -     -     212
chroot                    161    51      61
clock_adjtime             305   266     372
clock_adjtime64             -     -     405
clock_getres              229   114     264
clock_getres_time64         -     -     406
clock_gettime             228   113     263
clock_gettime64             -     -     403
clock_nanosleep           230   115     265
clock_nanosleep_time64      -     -     407
clock_settime             227   112     262
clock_settime64             -     -     404
clone                      56   220     120
clone3                    435   435     435
close                       3    57       6
close_range               436   436     436
connect                    42   203     283
copy_file_range           326   285     391
creat                      85     -       8
delete_module             176   106     129
dup                        32    23      41
dup2                       33     -      63
dup3                      292    24     358
epoll_create              213     -     250
epoll_create1             291    20     357
epoll_ctl                 233    21     251
epoll_pwait               281    22     346
epoll_pwait2              441   441     441
epoll_wait                232     -     252
eventfd2                  290    19     356
execve                     59   221      11
execveat                  322   281     387
exit                       60    93       1
exit_group                231    94     248
faccessat                 269    48     334
faccessat2                439   439     439
fadvise64                 221   223       -
fallocate                 285    47     352
fchmod                     91    52      94
fchmodat                  268    53     333
fchmodat2                 452   452     452
fchown                     93    55      95
fchown32                    -     -     207
fchownat                  260    54     325
fcntl                      72    25      55
fcntl64                     -     -     221
finit_module              313   273     379
flock                      73    32     143
fork                       57     -       2
fsconfig                  431   431     431
fsetxattr                 190     7     228
fsmount                   432   432     432
fsopen                    430   430     430
fspick                    433   433     433
fstat                       5    80     108
fstat64                     -     -     197
fstatat64                   -     -     327
ftruncate                  77    46      93
ftruncate64                 -     -     194
futex                     202    98     240
futex_time64                -     -     422
futimesat                 261     -     326
get_robust_list           274   100     339
getcpu                    309   168     345
getcwd                     79    17     183
getdents64                217    61     217
getegid                   108   177      50
getegid32                   -     -     202
geteuid                   107   175      49
geteuid32                   -     -     201
getgid                    104   176      47
getgid32                    -     -     200
getgroups                 115   158      80
getgroups32                 -     -     205
getpeername                52   205     287
getpgrp                   111     -      65
getpid                     39   172      20
getppid                   110   173      64
getrandom                 318   278     384
getresgid                 120   150     171
getresgid32                 -     -     211
getresuid                 118   148     165
getresuid32                 -     -     209
getrlimit                  97   163       -
getrusage                  98   165      77
getsockname                51   204     286
getsockopt                 55   209     295
gettid                    186   178     224
gettimeofday               96   169      78
getuid                    102   174      24
getuid32                    -     -     199
init_module               175   105     128
io_setup                  206     0     243
io_submit                 209     2     246
io_uring_enter            426   426     426
io_uring_register         427   427     427
io_uring_setup            425   425     425
ioctl                      16    29      54
ioperm                    173     -       -
iopl                      172     -       -
kexec_file_load           320   294     401
kexec_load                246   104     347
keyctl                    250   219     311
kill                       62   129      37
lchown                     94     -      16
lchown32                    -     -     198
link                       86     -       9
linkat                    265    37     330
listen                     50   201     284
lseek                       8    62      19
lsetxattr                 189     6     227
lstat                       6     -     107
lstat64                     -     -     196
madvise                    28   233     220
membarrier                324   283     389
memfd_create              319   279     385
mkdir                      83     -      39
mkdirat                   258    34     323
mknod                     133     -      14
mknodat                   259    33     324
mmap                        9   222       -
mmap2                       -     -     192
modify_ldt                154     -       -
mount                     165    40      21
mount_setattr             442   442     442
move_mount                429   429     429
mprotect                   10   226     125
mq_open                   240   180     274
mremap                     25   216     163
munmap                     11   215      91
name_to_handle_at         303   264     370
nanosleep                  35   101     162
newfstatat                262    79       -
open                        2     -       5
open_by_handle_at         304   265     371
open_tree                 428   428     428
open_tree_attr            467   467     467
openat                    257    56     322
openat2                   437   437     437
perf_event_open           298   241     364
personality               135    92     136
pidfd_getfd               438   438     438
pidfd_open                434   434     434
pidfd_send_signal         424   424     424
pipe                       22     -      42
pipe2                     293    59     359
pivot_root                155    41     218
pkey_mprotect             329   288     394
poll                        7     -     168
ppoll                     271    73     336
ppoll_time64                -     -     414
prctl                     157   167     172
pread64                    17    67     180
prlimit64                 302   261     369
process_madvise           440   440     440
process_vm_readv          310   270     376
process_vm_writev         311   271     377
pselect6                  270    72     335
pselect6_time64             -     -     413
ptrace                    101   117      26
pwrite64                   18    68     181
pwritev                   296    70     362
pwritev2                  328   287     393
quotactl                  179    60     131
read                        0    63       3
readlink                   89     -      85
readlinkat                267    78     332
readv                      19    65     145
reboot                    169   142      88
recv                        -     -     291
recvfrom                   45   207     292
recvmmsg                  299   243     365
recvmmsg_time64             -     -     417
recvmsg                    47   212     297
removexattr               197    14     235
rename                     82     -      38
renameat                  264    38     329
renameat2                 316   276     382
request_key               249   218     310
restart_syscall           219   128       0
rmdir                      84     -      40
rseq                      334   293     398
rt_sigaction               13   134     174
rt_sigpending             127   136     176
rt_sigprocmask             14   135     175
rt_sigqueueinfo           129   138     178
rt_sigreturn               15   139     173
rt_sigsuspend             130   133     179
rt_sigtimedwait           128   137     177
rt_tgsigqueueinfo         297   240     363
sched_getaffinity         204   123     242
sched_setaffinity         203   122     241
sched_yield                24   124     158
seccomp                   317   277     383
select                     23     -       -
send                        -     -     289
sendfile                   40    71     187
sendfile64                  -     -     239
sendmmsg                  307   269     374
sendmsg                    46   211     296
sendto                     44   206     290
set_robust_list           273    99     338
set_tid_address           218    96     256
set_tls                     -     -  983045
setfsgid                  123   152     139
setfsgid32                  -     -     216
setfsuid                  122   151     138
setfsuid32                  -     -     215
setgid                    106   144      46
setgid32                    -     -     214
setgroups                 116   159      81
setgroups32                 -     -     206
setns                     308   268     375
setregid                  114   143      71
setregid32                  -     -     204
setresgid                 119   149     170
setresgid32                 -     -     210
setresuid                 117   147     164
setresuid32                 -     -     208
setreuid                  113   145      70
setreuid32                  -     -     203
setrlimit                 160   164      75
setsockopt                 54   208     294
settimeofday              164   170      79
setuid                    105   146      23
setuid32                    -     -     213
setxattr                  188     5     226
setxattrat                463   463     463
shutdown                   48   210     293
sigaltstack               131   132     186
sigreturn                   -     -     119
socket                     41   198     281
socketpair                 53   199     288
splice                    275    76     340
stat                        4     -     106
stat64                      -     -     195
statx                     332   291     397
swapoff                   168   225     115
swapon                    167   224      87
symlink                    88     -      83
symlinkat                 266    36     331
sysinfo                    99   179     116
syslog                    103   116     103
tee                       276    77     342
tgkill                    234   131     268
time                      201     -       -
timerfd_create            283    85     350
timerfd_settime           286    86     353
timerfd_settime64           -     -     411
times                     100   153      43
tkill                     200   130     238
truncate                   76    45      92
truncate64                  -     -     193
ugetrlimit                  -     -     191
umask                      95   166      60
umount2                   166    39      52
uname                      63   160     122
unlink                     87     -      10
unlinkat                  263    35     328
unshare                   272    97     337
userfaultfd               323   282     388
utime                     132     -       -
utimensat                 280    88     348
utimensat_time64            -     -     412
utimes                    235     -     269
vfork                      58     -     190
vhangup                   153    58     111
vmsplice                  278    75     343
write                       1    64       4
writev                     20    66     146
"""
"""Name, number on x86-64, on aarch64 and on 32-bit ARM (EABI); ``-`` where there is none.

arch/x86/entry/syscalls/syscall_64.tbl, scripts/syscall.tbl and arch/arm/tools/syscall.tbl of Linux.
"""

UNIFIED = 424
"""From here on a number means the same on every machine.

These calls are younger than Linux 5.0, so that programs know what to do on a kernel without them.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    """What the kernel calls a machine, and the numbers of its system calls.

    Attributes:
        name: for people.
        audit_arch: ``AUDIT_ARCH_*`` (linux/audit.h): how a filter tells it from others.
        calls: number by name.
    """

    name: str
    audit_arch: int
    calls: Mapping[str, int]


def _column(place: int) -> Mapping[str, int]:
    rows = (line.split() for line in _TABLE.strip().splitlines())
    return MappingProxyType({row[0]: int(row[place]) for row in rows if row[place] != "-"})


X86_64 = Machine("x86-64", 0xC000_003E, _column(1))
AARCH64 = Machine("aarch64", 0xC000_00B7, _column(2))
ARM = Machine("32-bit ARM", 0x4000_0028, _column(3))
MACHINES = (X86_64, AARCH64, ARM)
NAMES = frozenset(name for machine in MACHINES for name in machine.calls)


def this_machine(kernel: str | None = None, *, wide: bool = sys.maxsize > 1 << 32) -> Machine | None:
    """The machine that a process speaks as; None where there is no table for it.

    Args:
        kernel: what the kernel calls the machine (uname(2)); this one's by default.
        wide: whether the process is a 64-bit one; a 32-bit one on a 64-bit ARM kernel speaks as 32-bit ARM.
    """
    kernel = kernel or os.uname().machine
    if kernel == "x86_64":
        return X86_64 if wide else None
    if kernel == "aarch64" and wide:
        return AARCH64
    if not wide and (kernel in {"aarch64", "armv8l"} or (kernel.startswith("arm") and kernel.endswith("l"))):
        return ARM
    return None
