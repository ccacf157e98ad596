"""Samples the items of a record from what a generated decoder holds: the gateway's rules, with integers.

Not on the hot path: it takes memory. A raw value stands for its exact decimal meaning
(docs/firmware-decoder.md).
"""

from .record import ABNORMAL, INVALID

# How an item comes about: the first number of its entry in ITEMS.
CONSTANT, ONE, COMBINED, ARRAY, CODES, BITS, EXTREME, SUM, HIGHEST, LEVELS = range(10)

# How a raw value is read: the first number of an entry in READINGS.
LINEAR, MAPPED, COMPARED = range(3)

# How the cells of a field are read.
INTEGER, UNSIGNED_CELLS, SIGNED_CELLS, FLOAT = range(4)

MEAN, TOTAL, GREATEST, LEAST = range(4)
VALUE, PACK, ELEMENT = range(3)

ALARM_LEVEL = 3

_FIELD = 7
_CELL_BITS = 24
_CLOCK = 0x3FFFFFFF
_OLDEST_MS = 1 << 28
_MOST_SHOWN = 30


class Sampler:
    """Samples what a generated module holds.

    Times are milliseconds modulo 2^30, as `time.ticks_ms` counts them. Sample at least once a day, so that
    no value looks young again when the clock comes round.

    Args:
        decoder: the generated module.

    Attributes:
        keys: the wire keys `(key, index)` of the items, in the order of their values.
        elements: most elements of all arrays of a sample together.
        alarm: whether the last sample showed an alarm of level 3 or more.
    """

    def __init__(self, decoder) -> None:
        self._values = decoder.VALUES
        self._times = decoder.TIMES
        self._lengths = decoder.LENGTHS
        self._latches = decoder.LATCHES
        self._shown = decoder.SHOWN
        self._fields = decoder.FIELDS
        self._readings = decoder.READINGS
        self._items = decoder.ITEMS
        self.keys = tuple([(item[1], item[2]) for item in decoder.ITEMS])
        self.elements = decoder.ELEMENTS
        self.alarm = False
        self._highest = decoder.HIGHEST_LEVEL
        self._peak = decoder.PEAK
        self._now = 0

    def read(self, now: int) -> list:
        """Sample this instant.

        What latched since `told` shows, and goes on to show until it is called.

        Args:
            now: the clock.

        Returns:
            For each key steps of the item's resolution, `INVALID`, `ABNORMAL`, or for a list a tuple of such.
        """
        self._now = now
        self._forget_oldest()
        values = []
        for item in self._items:
            guard = item[3]
            absent = guard is not None and not self._holds(guard)
            if absent:
                values.append((INVALID,) * len(item[4]) if item[0] == ARRAY else INVALID)
            else:
                values.append(self._value(item, values))
        self.alarm = False
        if self._highest >= 0:
            if self._peak is not None:
                values[self._highest] = self._with_peak(values[self._highest])
            level = values[self._highest]
            self.alarm = isinstance(level, int) and level >= ALARM_LEVEL
        return values

    def told(self) -> None:
        """Begin latching anew: what the last sample showed is in a record now."""
        for place in range(len(self._latches)):
            self._latches[place] = 0
        for place in range(len(self._shown)):
            self._shown[place] = 0

    def _forget_oldest(self) -> None:
        times, now = self._times, self._now
        for group in range(len(times)):
            if times[group] >= 0 and (now - times[group]) & _CLOCK > _OLDEST_MS:
                times[group] = -1

    def _value(self, item: tuple, values: list):  # noqa: PLR0911 - one branch an operation
        operation = item[0]
        if operation == CONSTANT:
            return item[4]
        if operation == ONE:
            return self._one(item[4], item[5], item[6])
        if operation == ARRAY:
            return tuple([self._one(field, item[5], reading) for field, reading in zip(item[4], item[6])])
        if operation == CODES:
            return self._codes(item)
        if operation == COMBINED:
            return self._combined(item)
        if operation == BITS:
            return self._bits(item[4])
        if operation == EXTREME:
            return _extreme(item, values)
        if operation == SUM:
            return _sum(item, values)
        return self._levels(item, values)

    def _fresh(self, field: int, limit: int) -> bool:
        """Whether a field has a value of that age in milliseconds at most."""
        at = field * _FIELD
        group = self._fields[at + 3]
        time = self._times[group]
        if time < 0 or self._lengths[group] < self._fields[at + 4]:
            return False
        return (self._now - time) & _CLOCK <= limit

    def _raw(self, field: int) -> int:
        at = field * _FIELD
        cell = self._fields[at]
        count = self._fields[at + 1]
        raw = self._values[cell + count - 1]
        for place in range(count - 2, -1, -1):
            raw = (raw << _CELL_BITS) + self._values[cell + place]
        return raw

    def _one(self, field: int, limit: int, reading: int):
        if not self._fresh(field, limit):
            return INVALID
        return self._element(field, self._raw(field), reading)

    def _element(self, field: int, raw: int, reading: int):
        entry = self._readings[reading]
        if raw in entry[1]:
            return INVALID
        if raw in entry[2]:
            return ABNORMAL
        if entry[0] == MAPPED:
            return entry[3].get(raw, ABNORMAL)
        if entry[0] == COMPARED:
            return 1 if _within(raw, entry[3]) else 0
        below = 1
        if self._fields[field * _FIELD + 2] == FLOAT:
            raw, below = fraction_of(raw, self._fields[field * _FIELD + 1])
            if not below:
                return ABNORMAL
        scale, offset, divisor = entry[3]
        return _in_range(_rounded(raw * scale + offset * below, divisor * below), entry[4])

    def _holds(self, guard: tuple) -> bool:
        field, limit, wanted = guard
        return self._fresh(field, limit) and _within(self._raw(field), wanted)

    def _codes(self, item: tuple):
        codes = [
            self._one(field, item[5], reading)
            for field, reading in zip(item[4], item[6])
            if self._fresh(field, item[5])
        ]
        return tuple([code for code in codes if code != item[7]]) if codes else INVALID

    def _combined(self, item: tuple):
        fields, limit, parts, how, steps, bounds = item[4:]
        meanings = []
        abnormal = False
        for field, (invalid, abnormals, scale, offset) in zip(fields, parts):
            if not self._fresh(field, limit):
                return INVALID
            raw = self._raw(field)
            if raw in invalid:
                return INVALID
            if raw in abnormals:
                abnormal = True
                continue
            meanings.append(raw * scale + offset)
        if abnormal:
            return ABNORMAL
        below = 1
        if how == GREATEST:
            total = max(meanings)
        elif how == LEAST:
            total = min(meanings)
        else:
            total = sum(meanings)
            if how == MEAN:
                below = len(meanings)
        scale, offset, divisor = steps
        return _in_range(_rounded(total * scale + offset * below, divisor * below), bounds)

    def _bits(self, parts: tuple):
        up, known = 0, False
        for guard, limit, latched, table in parts:
            if guard is not None and not self._holds(guard):
                continue
            for mask, field, wanted in table:
                if self._fresh(field, limit):
                    known = True
                    if _within(self._raw(field), wanted):
                        up |= mask
                latch = self._fields[field * _FIELD + 5]
                if latched and latch >= 0 and self._latches[latch]:
                    known = True
                    up |= mask
        return up if known else INVALID

    def _levels(self, item: tuple, values: list):
        flags = values[item[4]]
        if not isinstance(flags, int):
            return ABNORMAL if flags is ABNORMAL else INVALID
        up = [
            (number, level if isinstance(level, int) else self._fed(level))
            for number, level in item[5]
            if flags >> number & 1
        ]
        if item[0] == LEVELS:
            return tuple([part for pair in up for part in pair])
        known = [level for _, level in up if isinstance(level, int)]
        if known or not up:
            return max(known) if known else 0
        return INVALID if any(level is INVALID for _, level in up) else ABNORMAL

    def _fed(self, level: tuple):
        field, limit, levels, zeros = level
        known = [levels[raw] for raw in self._seen(field) if raw in levels]
        if known:
            return max(known)
        if not self._fresh(field, limit):
            return INVALID
        raw = self._raw(field)
        return INVALID if raw in zeros else levels.get(raw, ABNORMAL)

    def _seen(self, field: int) -> list:
        """The raw values of a followed field since `told`."""
        shown = self._fields[field * _FIELD + 6]
        noted = self._shown[shown] if shown >= 0 else 0
        return [raw for raw in range(_MOST_SHOWN) if noted >> raw & 1]

    def _with_peak(self, level):
        field, reading = self._peak
        known = [] if not isinstance(level, int) else [level]
        for raw in self._seen(field):
            seen = self._element(field, raw, reading)
            if isinstance(seen, int):
                known.append(seen)
        return max(known) if known else level


def _within(raw: int, wanted: tuple) -> bool:
    low, high, outside = wanted
    return (low <= raw <= high) != outside


def _in_range(steps: int, bounds: tuple):
    least, most, named = bounds
    if not least <= steps <= most or (named is not None and steps not in named):
        return ABNORMAL
    return steps


def _rounded(above: int, below: int) -> int:
    """The quotient, rounded half to even; `below` is positive."""
    steps = above // below
    rest = 2 * (above - steps * below)
    if rest > below or (rest == below and steps & 1):
        steps += 1
    return steps


def fraction_of(bits: int, cells: int) -> tuple:
    """The fraction that an IEEE 754 number is; over 0 where it is none."""
    exponent_bits, fraction_bits = ((5, 10), (8, 23), (11, 52))[cells - 1]
    fraction = bits & ((1 << fraction_bits) - 1)
    exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1)
    if exponent == (1 << exponent_bits) - 1:
        return 0, 0
    if exponent:
        fraction |= 1 << fraction_bits
    else:
        exponent = 1
    if bits >> (exponent_bits + fraction_bits):
        fraction = -fraction
    power = exponent - (1 << (exponent_bits - 1)) + 1 - fraction_bits
    return (fraction << power, 1) if power >= 0 else (fraction, 1 << -power)


def _extreme(item: tuple, values: list):
    origins, greatest, part, steps, bounds = item[4:]
    best = place = element = None
    invalid = abnormal = False
    for item_place, size, index in origins:
        value = values[item_place]
        elements = value if isinstance(value, tuple) else (value,)
        for number in range(len(elements)):
            one = elements[number]
            if one is INVALID:
                invalid = True
            elif one is ABNORMAL:
                abnormal = True
            else:
                physical = one * size
                if best is None or (physical > best if greatest else physical < best):
                    best, place, element = physical, index, number + 1
    if best is None:
        return ABNORMAL if abnormal and not invalid else INVALID
    scale, offset, divisor = steps
    shown = best if part == VALUE else place if part == PACK else element
    return _in_range(_rounded(shown * scale + offset, divisor), bounds)


def _sum(item: tuple, values: list):
    origins, steps, bounds = item[4:]
    total = 0
    invalid = abnormal = False
    for item_place, size in origins:
        value = values[item_place]
        if isinstance(value, int):
            total += value * size
        elif value is INVALID:
            invalid = True
        elif value is ABNORMAL:
            abnormal = True
    if invalid or abnormal:
        return INVALID if invalid else ABNORMAL
    scale, offset, divisor = steps
    return _in_range(_rounded(total * scale + offset, divisor), bounds)
