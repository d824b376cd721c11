"""The command that hands a run to the scheduler of a cluster."""

import math
import shlex

from nextlmm.run.exact.route import allowed_bytes
from nextlmm.run.limits import GIB
from nextlmm.run.options import GwasOptions

_ROOM = 1.25  # of the memory that is asked for, over what is predicted
_PATIENCE, _LEAST_MINUTES = 2.0, 10  # of the time, likewise
_STEP = 100  # MiB
_ADDRESSES = 4096  # MiB of address space that a program reserves and does not use


def submit_lines(
    options: GwasOptions, *, threads: int, seconds: float, memory_bytes: float
) -> dict[str, str]:
    """One line of a shell for each of four schedulers, by its name.

    The memory for large arrays is written into the command, so that the route is the one that was
    planned, however much memory the job has.  A quarter more memory than predicted is asked for,
    and twice the time, ten minutes at least; of Grid Engine 4 GiB more, because its limit is one of
    address space.
    """
    command = options.to_command()
    if options.memory is None:
        command += f" --memory {allowed_bytes(None) / GIB:.4g}"
    if options.threads is None:
        command += f" --threads {threads}"
    mebibytes = math.ceil(_ROOM * memory_bytes / 2**20 / _STEP) * _STEP
    minutes = max(_LEAST_MINUTES, math.ceil(_PATIENCE * seconds / 60))
    clock = f"{minutes // 60:02d}:{minutes % 60:02d}:00"
    here = shlex.quote(f'cd "$PBS_O_WORKDIR" && {command}')
    quoted = shlex.quote(command)
    return {
        "Slurm": (
            f"sbatch --job-name=nextlmm --ntasks=1 --cpus-per-task={threads} --mem={mebibytes}M "
            f"--time={clock} --wrap={quoted}"
        ),
        "PBS": (
            f"echo {here} | qsub -N nextlmm -l select=1:ncpus={threads}:mem={mebibytes}mb "
            f"-l walltime={clock}"
        ),
        "SGE": (
            f"echo {quoted} | qsub -N nextlmm -cwd -pe smp {threads} "
            f"-l h_vmem={math.ceil((mebibytes + _ADDRESSES) / threads)}M -l h_rt={clock}"
        ),
        "LSF": (
            f"bsub -J nextlmm -n {threads} -R 'span[hosts=1]' -M {mebibytes}MB -W {minutes} "
            f"{quoted}"
        ),
    }
