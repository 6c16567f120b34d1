"""Every kernel with what it is measured against, by the name of its figures."""

from bench.contests import codecs, hearing, levels, lines, rates
from bench.contests.contest import Prepare

KERNELS: dict[str, Prepare] = {
    **codecs.CONTESTS,
    **rates.CONTESTS,
    **lines.CONTESTS,
    **levels.CONTESTS,
    **hearing.CONTESTS,
}
