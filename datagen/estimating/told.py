"""An estimate in words."""

from datagen.estimating.forecast import SHARD_SECONDS, Estimate, Range


def told(found: Estimate) -> str:
    """A line for each figure."""
    rate, seconds = found.images_per_second, found.seconds
    many = found.workers > 1
    beside = f"; {found.together} tried at once" if found.together > 1 else ""
    lines = [
        f"images   {found.count:,} by {found.workers} worker{'s' * many}; {found.tried} were tried",
        f"start    {_time(found.start)} until a worker has its first image",
        f"speed    {_number(rate.mean)} images/s a worker "
        f"({_number(rate.low)} to {_number(rate.high)}){beside} on {found.cores} cores",
        f"time     {_time(seconds.mean)} ({_time(seconds.low)} to {_time(seconds.high)}), "
        f"{_time(found.joining)} of it to join the shards",
        f"memory   {found.memory / 1e6:.0f} MB a worker",
        f"disk     {found.bytes_per_image / 1e3:.1f} kB an image, {_size(found.disk)} in "
        f"{found.files:,} files; {_size(found.disk_wanted)} must be free",
        f"shards   {found.shard_size} images, {_time(found.shard_seconds)} each{_better(found)}",
    ]
    if found.cost is not None:
        lines.append(f"cost     {_cost(found.cost)}, all workers paid from start to end")
    if found.assumed:
        lines.append(f"assumed  {found.assumed}")
    return "\n".join(lines)


def _better(found: Estimate) -> str:
    """Only where it makes a difference."""
    better = found.better_shard_size
    if 1 / 2 <= found.shard_size / better <= 2:
        return ""
    took = found.shard_seconds / min(found.shard_size, found.count) * better
    why = "" if took > SHARD_SECONDS / 2 else f", {found.workers} workers being even at the end"
    return f"; --shard-size {better} would be {_time(took)}{why}"


def _cost(cost: Range) -> str:
    return f"{cost.mean:.2f} ({cost.low:.2f} to {cost.high:.2f})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _size(count: float) -> str:
    return f"{count / 1e9:,.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _time(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes / 60 / 24:.1f} days"
