/* The hot loops: lines of text to frames, frames to values, values to rows; frames out of the ring, through the door and
 * into the journal.
 *
 * Each function does what a NumPy path in nevgate does, to the bit; nevgate works without this module. Arguments are
 * buffers (PEP 3118) that the caller has made; every place in them is checked here before it is read or written,
 * whatever lengths, rows and numbers say. Only the stable ABI of Python 3.11 is used. Arithmetic is IEEE 754 in the
 * order written: compile with -ffp-contract=off and without -ffast-math.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INTERFACE 3 /* edge/accelerated.py takes this number only */

/* As in edge/frames.py. */
enum { EXTENDED = 0x01, ERROR_FRAME = 0x04, FD = 0x08, BITRATE_SWITCH = 0x10, ERROR_STATE = 0x20, TRANSMITTED = 0x40 };
enum { CLASSIC_BYTES = 8, FD_BYTES = 64, WORD_BYTES = 8 };
#define STANDARD_ID_MAX 0x7FFu
#define EXTENDED_ID_MAX 0x1FFFFFFFu

#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE inline
#endif

typedef const unsigned char *Text;

/* ---- buffers ---- */

enum { BUFFERS_MOST = 20 };

typedef struct {
    Py_buffer views[BUFFERS_MOST];
    int count;
} Buffers;

static void release(Buffers *buffers)
{
    while (buffers->count)
        PyBuffer_Release(&buffers->views[--buffers->count]);
}

/* The memory of `object`, contiguous and aligned, and how many items of `item` bytes it holds; NULL with an exception. */
static void *take(Buffers *buffers, PyObject *object, Py_ssize_t item, int writable, Py_ssize_t *count)
{
    Py_buffer *view = &buffers->views[buffers->count];
    if (buffers->count == BUFFERS_MOST) {
        PyErr_SetString(PyExc_SystemError, "too many buffers");
        return NULL;
    }
    if (PyObject_GetBuffer(object, view, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE) < 0)
        return NULL;
    buffers->count++;
    if (view->itemsize != item || view->len % item || (uintptr_t)view->buf % (uintptr_t)item) {
        PyErr_Format(PyExc_ValueError, "a buffer of aligned items of %zd bytes is needed", item);
        return NULL;
    }
    *count = view->len / item;
    return view->buf ? view->buf : (void *)buffers; /* an empty buffer may have no address, and needs none */
}

/* ---- lines of text to frames ---- */

static unsigned char nibbles[256];
enum { NO_DIGIT = 0xFF };

static int is_fd_length(Py_ssize_t length)
{
    return length <= 8 || length == 12 || length == 16 || length == 20 || length == 24 || length == 32 || length == 48
           || length == 64;
}

/* The number from `at` to `stop`, 1 to `most` digits (at most 15 of ten, 13 of sixteen); -1 if that is none. */
static ALWAYS_INLINE int64_t number(Text at, Text stop, Py_ssize_t most, const unsigned base)
{
    int64_t value = 0;
    int good = 1;
    if (stop - at < 1 || stop - at > most)
        return -1;
    for (; at < stop; at++) {
        const unsigned digit = base == 10 ? *at - (unsigned)'0' : nibbles[*at];
        good &= digit < base;
        value = value * (int64_t)base + (int64_t)(digit & 15);
    }
    return good ? value : -1;
}

/* `length` bytes as pairs of digits, one every `stride` characters from `at` on; 0 if there is a character that is none. */
static ALWAYS_INLINE int data_bytes(Text at, Py_ssize_t length, int stride, uint8_t *data)
{
    unsigned all = 0;
    for (Py_ssize_t place = 0; place < length; place++, at += stride) {
        unsigned high = nibbles[at[0]], low = nibbles[at[1]];
        all |= high | low;
        data[place] = (uint8_t)(high << 4 | (low & 0x0F));
    }
    return all < 16;
}

typedef struct {
    int64_t t_ns;
    int64_t channel;
    uint32_t arbitration_id;
    uint16_t flags;
    uint16_t length;
} Head;

/* Columns of frames, one a line of text. */
typedef struct {
    Text text;
    Text end;
    uint8_t *good;
    int64_t *t_ns;
    int64_t *channel;
    uint32_t *arbitration_id;
    uint16_t *flags;
    uint16_t *length;
    uint8_t *data;
    Py_ssize_t count;
    Py_ssize_t width;
    Py_ssize_t longest;
} Lines;

/* Take the arguments of a function that reads lines: text and seven columns. */
static int take_lines(Buffers *buffers, PyObject *const *objects, Lines *lines)
{
    Py_ssize_t bytes, counts[6], size;
    if (!(lines->text = take(buffers, objects[0], 1, 0, &bytes)) || !(lines->good = take(buffers, objects[1], 1, 1, &lines->count))
        || !(lines->t_ns = take(buffers, objects[2], 8, 1, &counts[0])) || !(lines->channel = take(buffers, objects[3], 8, 1, &counts[1]))
        || !(lines->arbitration_id = take(buffers, objects[4], 4, 1, &counts[2])) || !(lines->flags = take(buffers, objects[5], 2, 1, &counts[3]))
        || !(lines->length = take(buffers, objects[6], 2, 1, &counts[4])) || !(lines->data = take(buffers, objects[7], 1, 1, &size)))
        return 0;
    for (int place = 0; place < 5; place++)
        if (counts[place] != lines->count) {
            PyErr_SetString(PyExc_ValueError, "columns of unequal length");
            return 0;
        }
    lines->end = lines->text + bytes;
    lines->width = lines->count ? size / lines->count : CLASSIC_BYTES;
    lines->longest = 0;
    if ((lines->width != CLASSIC_BYTES && lines->width != FD_BYTES) || size != lines->count * lines->width) {
        PyErr_SetString(PyExc_ValueError, "data must be 8 or 64 bytes wide");
        return 0;
    }
    return 1;
}

/* Put the frame of one line down, if it is `good`; all columns are written for every line. */
static void put(Lines *lines, Py_ssize_t place, int good, const Head *head)
{
    lines->good[place] = (uint8_t)good;
    lines->t_ns[place] = good ? head->t_ns : 0;
    lines->channel[place] = good ? head->channel : 0;
    lines->arbitration_id[place] = good ? head->arbitration_id : 0;
    lines->flags[place] = good ? head->flags : 0;
    lines->length[place] = good ? head->length : 0;
    if (!good)
        memset(lines->data + place * lines->width, 0, (size_t)lines->width);
}

/* Read `length` data bytes into the row of `place`; what does not fit is only measured. */
static int put_data(Lines *lines, Py_ssize_t place, Text at, Py_ssize_t length, int stride)
{
    uint8_t *row = lines->data + place * lines->width;
    if (length > lines->width) {
        if (length > lines->longest)
            lines->longest = length;
        return 0;
    }
    memset(row, 0, (size_t)lines->width);
    return data_bytes(at, length, stride, row);
}

enum { LABEL_MAX = 16, LABELS_MOST = 16 };

typedef struct {
    Text at[LABELS_MOST];
    Py_ssize_t size[LABELS_MOST];
    int count;
    int last;
} Labels;

/* The number of a channel name of printable ASCII, by order of appearance; -1 if it is none, or one too many. */
static int label(Labels *labels, Text at, Py_ssize_t size)
{
    if (size < 1 || size > LABEL_MAX)
        return -1;
    for (int turn = 0; turn < labels->count; turn++) {
        int one = (labels->last + turn) % labels->count;
        if (labels->size[one] == size && !memcmp(labels->at[one], at, (size_t)size))
            return labels->last = one;
    }
    if (labels->count == LABELS_MOST)
        return -1;
    for (Py_ssize_t place = 0; place < size; place++)
        if (at[place] < 0x20 || at[place] > 0x7E)
            return -1;
    labels->at[labels->count] = at;
    labels->size[labels->count] = size;
    return labels->last = labels->count++;
}

#define NS_PER_S INT64_C(1000000000)
#define SECONDS_MAX INT64_C(4600000000)

/* Nanoseconds of "(seconds.fraction)" with 6 or 9 digits of fraction; -1 if that is none. */
static int64_t candump_stamp(Text begin, Text gap)
{
    Text close = gap - 1, dot;
    int64_t seconds, fraction;
    int micro;
    if (gap - begin < 10 || *begin != '(' || *close != ')')
        return -1;
    micro = close[-7] == '.';
    if (!micro && gap - begin < 13)
        return -1;
    dot = close - (micro ? 7 : 10);
    if (*dot != '.')
        return -1;
    seconds = number(begin + 1, dot, 10, 10);
    fraction = number(dot + 1, close, 9, 10);
    if (seconds < 0 || seconds > SECONDS_MAX || fraction < 0)
        return -1;
    return seconds * NS_PER_S + fraction * (micro ? 1000 : 1);
}

/* One line of a candump log from `begin` to `end`, its line ending left out. */
static int candump_line(Lines *lines, Py_ssize_t place, Labels *labels, Text begin, Text end, Head *head)
{
    Text gap, after_label, stop, at, hash, first;
    int64_t value;
    unsigned flag = 0;
    int standard, fd, error;
    Py_ssize_t digits;
    if (!(gap = memchr(begin, ' ', (size_t)(end - begin))) || !(after_label = memchr(gap + 1, ' ', (size_t)(end - gap - 1))))
        return 0;
    if ((head->t_ns = candump_stamp(begin, gap)) < 0)
        return 0;
    if ((head->channel = label(labels, gap + 1, after_label - gap - 1)) < 0)
        return 0;
    at = after_label + 1;
    if (!(stop = memchr(at, ' ', (size_t)(end - at))))
        stop = end;
    standard = stop - at > 3 && at[3] == '#';
    if (!standard && !(stop - at > 8 && at[8] == '#'))
        return 0;
    hash = at + (standard ? 3 : 8);
    if ((value = number(at, hash, 8, 16)) < 0)
        return 0;
    error = !standard && (value & 0x20000000);
    value &= ~INT64_C(0x20000000);
    if (value > (standard ? STANDARD_ID_MAX : EXTENDED_ID_MAX))
        return 0;
    fd = stop - hash > 2 && hash[1] == '#';
    if (fd && (flag = nibbles[hash[2]]) > 15)
        return 0;
    first = hash + (fd ? 3 : 1);
    digits = stop - first;
    if (digits < 0 || digits % 2 || digits / 2 > (fd ? FD_BYTES : CLASSIC_BYTES) || (fd && !is_fd_length(digits / 2)))
        return 0;
    head->arbitration_id = (uint32_t)value;
    head->flags = (uint16_t)((standard ? 0 : error ? ERROR_FRAME : EXTENDED) | (fd ? FD : 0) | (flag & 1 ? BITRATE_SWITCH : 0)
                             | (flag & 2 ? ERROR_STATE : 0) | (stop != end && stop[1] == 'T' ? TRANSMITTED : 0));
    head->length = (uint16_t)(digits / 2);
    return put_data(lines, place, first, digits / 2, 2)
           && (stop == end || (end - stop == 2 && (stop[1] == 'T' || stop[1] == 'R')));
}

enum { LOWER = 0x20 };

static int says(Text at, Text stop, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(stop - at) != size)
        return 0;
    for (size_t place = 0; place < size; place++)
        if ((at[place] | LOWER) != (unsigned char)word[place])
            return 0;
    return 1;
}

/* One line of GVRET CSV. */
static int gvret_line(Lines *lines, Py_ssize_t place, int directed, Text begin, Text end, Head *head)
{
    Text field[7]; /* where each field begins; one past its end is where the next one begins */
    int wanted = directed ? 5 : 4, extended, at = 0;
    int64_t t_us, value, length;
    Text after, last;
    field[0] = begin;
    for (int count = 0; count < wanted; count++) {
        Text comma = memchr(field[count], ',', (size_t)(end - field[count]));
        if (!comma)
            return 0;
        field[count + 1] = comma + 1;
    }
    after = memchr(field[wanted], ',', (size_t)(end - field[wanted]));
    if (!after)
        after = end;
    if ((t_us = number(field[0], field[1] - 1, 15, 10)) < 0 || (value = number(field[1], field[2] - 1, 8, 16)) < 0)
        return 0;
    extended = says(field[2], field[3] - 1, "true");
    if (!extended && !says(field[2], field[3] - 1, "false"))
        return 0;
    at = 3;
    head->flags = extended ? EXTENDED : 0;
    if (directed) {
        if (says(field[3], field[4] - 1, "tx"))
            head->flags |= TRANSMITTED;
        else if (!says(field[3], field[4] - 1, "rx"))
            return 0;
        at = 4;
    }
    if ((head->channel = number(field[at], field[at + 1] - 1, 3, 10)) < 0 || (length = number(field[at + 1], after, 2, 10)) < 0)
        return 0;
    if (length > CLASSIC_BYTES || value > (extended ? EXTENDED_ID_MAX : STANDARD_ID_MAX) || end - after < 3 * length)
        return 0;
    last = after + 3 * length;
    if (last != end && *last != ',')
        return 0;
    for (Text comma = after; comma < last; comma += 3)
        if (*comma != ',')
            return 0;
    head->t_ns = t_us * 1000;
    head->arbitration_id = (uint32_t)value;
    head->length = (uint16_t)length;
    return put_data(lines, place, length ? after + 1 : after, (Py_ssize_t)length, 3);
}

/* All lines of the text; `form` is -1 for candump, else whether GVRET lines have a direction. Tells how many there are. */
static Py_ssize_t read_text(Lines *lines, Labels *labels, int form)
{
    Py_ssize_t place = 0;
    for (Text begin = lines->text; begin < lines->end; place++) {
        Head head = {0};
        Text feed = memchr(begin, '\n', (size_t)(lines->end - begin)), end = feed;
        if (!feed || place == lines->count)
            return -1;
        if (end > begin && end[-1] == '\r')
            end--;
        put(lines, place,
            form < 0 ? candump_line(lines, place, labels, begin, end, &head) : gvret_line(lines, place, form, begin, end, &head), &head);
        begin = feed + 1;
    }
    return place;
}

PyDoc_STRVAR(candump_doc,
    "candump(text, good, t_ns, channel, arbitration_id, flags, length, data, /)\n--\n\n"
    "Read lines as edge.bus.formats.candump.read_lines does; columns are filled.\n\n"
    "Returns the channel names (bytes) and the most data bytes of a line that is too long for the columns, else 0.");

static PyObject *candump(PyObject *self, PyObject *args)
{
    PyObject *objects[8], *names = NULL, *answer = NULL;
    Buffers buffers = {.count = 0};
    Lines lines;
    Labels labels = {.count = 0, .last = 0};
    Py_ssize_t found;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOOOOO", &objects[0], &objects[1], &objects[2], &objects[3], &objects[4], &objects[5],
                          &objects[6], &objects[7])
        || !take_lines(&buffers, objects, &lines))
        goto end;
    Py_BEGIN_ALLOW_THREADS
    found = read_text(&lines, &labels, -1);
    Py_END_ALLOW_THREADS
    if (found != lines.count) {
        PyErr_SetString(PyExc_ValueError, "columns must be as long as there are lines, the last one ended");
        goto end;
    }
    if (!(names = PyList_New(labels.count)))
        goto end;
    for (int place = 0; place < labels.count; place++) {
        PyObject *name = PyBytes_FromStringAndSize((const char *)labels.at[place], labels.size[place]);
        if (!name || PyList_SetItem(names, place, name) < 0)
            goto end;
    }
    answer = Py_BuildValue("(On)", names, lines.longest);
end:
    Py_XDECREF(names);
    release(&buffers);
    return answer;
}

PyDoc_STRVAR(gvret_doc,
    "gvret(directed, text, good, t_ns, channel, arbitration_id, flags, length, data, /)\n--\n\n"
    "Read lines as edge.bus.formats.gvret.read_lines does; columns are filled, `channel` with the numbers of buses.");

static PyObject *gvret(PyObject *self, PyObject *args)
{
    PyObject *objects[8], *answer = NULL;
    Buffers buffers = {.count = 0};
    Lines lines;
    int directed;
    Py_ssize_t found;
    (void)self;
    if (!PyArg_ParseTuple(args, "pOOOOOOOO", &directed, &objects[0], &objects[1], &objects[2], &objects[3], &objects[4],
                          &objects[5], &objects[6], &objects[7])
        || !take_lines(&buffers, objects, &lines))
        goto end;
    Py_BEGIN_ALLOW_THREADS
    found = read_text(&lines, NULL, directed);
    Py_END_ALLOW_THREADS
    if (found != lines.count) {
        PyErr_SetString(PyExc_ValueError, "columns must be as long as there are lines, the last one ended");
        goto end;
    }
    answer = Py_NewRef(Py_None);
end:
    release(&buffers);
    return answer;
}

/* ---- frames to values ---- */

/* What is done with the raw bits; as `Operation` in edge/decode/program.py. */
enum { INTEGER, LINEAR_INTEGER, LINEAR, LINEAR_UNSIGNED, DOUBLE, SINGLE, HALF, OPERATIONS };
enum { BIG_ENDIAN_WORD = 1, SIGNED_BITS = 2, SCALED = 4, MOVED = 8 };

/* One signal: edge/decode/program.py lays it out. */
typedef struct {
    int64_t first_byte;
    uint64_t scale;
    uint64_t offset;
    uint8_t left;
    uint8_t right;
    uint8_t operation;
    uint8_t flags;
    uint8_t spare[4];
} Field;

typedef struct {
    int64_t low, high, begin, count, out;
} Segment;

enum { CHUNK = 512, HALVES = 1 << 16 };

static uint64_t swapped(uint64_t word)
{
    word = (word & UINT64_C(0x00FF00FF00FF00FF)) << 8 | (word >> 8 & UINT64_C(0x00FF00FF00FF00FF));
    word = (word & UINT64_C(0x0000FFFF0000FFFF)) << 16 | (word >> 16 & UINT64_C(0x0000FFFF0000FFFF));
    return word << 32 | word >> 32;
}

static int little_endian_machine(void)
{
    const uint16_t one = 1;
    return *(const uint8_t *)&one;
}

static int64_t arithmetic_shift(uint64_t word, unsigned by)
{
    return (int64_t)word >> by; /* every compiler that CPython is built with shifts the sign in */
}

static double as_double(uint64_t word)
{
    double value;
    memcpy(&value, &word, sizeof value);
    return value;
}

/* Cut the bits of `field` out of words and make them physical. `operation` and `flags` are those of the field: where they
 * are constants, the compiler leaves the rest out. */
static ALWAYS_INLINE void convert(const Field *field, const double *halves, const uint64_t *words, uint64_t *out, Py_ssize_t count,
                                  const unsigned operation, const unsigned flags)
{
    const double scale = as_double(field->scale), offset = as_double(field->offset);
    const unsigned left = field->left, right = field->right;
    for (Py_ssize_t place = 0; place < count; place++) {
        uint64_t word = (flags & BIG_ENDIAN_WORD ? swapped(words[place]) : words[place]) << left;
        double value;
        word = flags & SIGNED_BITS ? (uint64_t)arithmetic_shift(word, right) : word >> right;
        if (operation == INTEGER) {
            out[place] = word;
            continue;
        }
        if (operation == LINEAR_INTEGER) {
            out[place] = word * field->scale + field->offset; /* modulo 2 to the 64, signed or not */
            continue;
        }
        if (operation == LINEAR) {
            value = (double)(int64_t)word;
        } else if (operation == LINEAR_UNSIGNED) {
            value = (double)word;
        } else if (operation == DOUBLE) {
            value = as_double(word);
        } else if (operation == SINGLE) {
            const uint32_t bits = (uint32_t)word;
            float single;
            memcpy(&single, &bits, sizeof single);
            value = (double)single;
        } else {
            value = halves[word & (HALVES - 1)];
        }
        if (flags & SCALED)
            value *= scale;
        if (flags & MOVED)
            value += offset;
        memcpy(&out[place], &value, sizeof value);
    }
}

#define USUAL(operation, flags)                                                                                                \
    case (operation) << 4 | (flags):                                                                                           \
        convert(field, halves, words, out, count, operation, flags);                                                           \
        return;

static void convert_field(const Field *field, const double *halves, const uint64_t *words, uint64_t *out, Py_ssize_t count)
{
    switch (field->operation << 4 | (field->flags & 15)) {
        USUAL(INTEGER, 0)
        USUAL(INTEGER, 1)
        USUAL(INTEGER, 2)
        USUAL(INTEGER, 3)
        USUAL(LINEAR_INTEGER, 0)
        USUAL(LINEAR_INTEGER, 1)
        USUAL(LINEAR, 4)
        USUAL(LINEAR, 5)
        USUAL(LINEAR, 6)
        USUAL(LINEAR, 7)
        USUAL(LINEAR, 12)
        USUAL(LINEAR, 13)
        USUAL(LINEAR, 14)
        USUAL(LINEAR, 15)
    default:
        convert(field, halves, words, out, count, field->operation, field->flags);
    }
}

/* The words of some rows from byte `first` on, little-endian; 0 if a row is none. */
static int gather(const uint8_t *data, Py_ssize_t width, Py_ssize_t frames, const int64_t *rows, Py_ssize_t count, int64_t first,
                  uint64_t *words)
{
    const int swap = !little_endian_machine();
    for (Py_ssize_t place = 0; place < count; place++) {
        if (rows[place] < 0 || rows[place] >= frames)
            return 0;
        memcpy(&words[place], data + rows[place] * width + first, WORD_BYTES);
        if (swap)
            words[place] = swapped(words[place]);
    }
    return 1;
}

static int decode_segment(const Segment *segment, const Field *fields, const double *halves, const uint8_t *data, Py_ssize_t width,
                          Py_ssize_t frames, const int64_t *order, uint64_t *out)
{
    uint64_t read[CHUNK];
    for (int64_t done = 0; done < segment->count; done += CHUNK) {
        Py_ssize_t some = (Py_ssize_t)(segment->count - done < CHUNK ? segment->count - done : CHUNK);
        int64_t first = -1;
        for (int64_t which = segment->low; which < segment->high; which++) {
            const Field *field = &fields[which];
            if (field->first_byte != first) {
                first = field->first_byte;
                if (!gather(data, width, frames, order + segment->begin + done, some, first, read))
                    return 0;
            }
            convert_field(field, halves, read, out + segment->out + (which - segment->low) * segment->count + done, some);
        }
    }
    return 1;
}

PyDoc_STRVAR(decode_doc,
    "decode(fields, halves, data, width, order, segments, out, /)\n--\n\n"
    "Decode segments (low, high, begin, count, out): fields low to high of the frames order[begin:begin + count], one field\n"
    "after the other, from out[out] on. `data` has rows of `width` bytes.");

static PyObject *decode(PyObject *self, PyObject *args)
{
    PyObject *objects[6], *answer = NULL;
    Buffers buffers = {.count = 0};
    const Field *fields;
    const double *halves;
    const uint8_t *data;
    const int64_t *order;
    const Segment *segments;
    uint64_t *out;
    Py_ssize_t width, field_count, half_count, size, frames, ordered, numbers, room;
    int good = 1;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOnOOO", &objects[0], &objects[1], &objects[2], &width, &objects[3], &objects[4], &objects[5]))
        return NULL;
    if (!(fields = take(&buffers, objects[0], 1, 0, &field_count)) || !(halves = take(&buffers, objects[1], 8, 0, &half_count))
        || !(data = take(&buffers, objects[2], 1, 0, &size)) || !(order = take(&buffers, objects[3], 8, 0, &ordered))
        || !(segments = take(&buffers, objects[4], 8, 0, &numbers)) || !(out = take(&buffers, objects[5], 8, 1, &room)))
        goto end;
    if (width < WORD_BYTES || size % width || field_count % (Py_ssize_t)sizeof(Field) || numbers % 5 || half_count != HALVES
        || (uintptr_t)fields % sizeof(uint64_t)) {
        PyErr_SetString(PyExc_ValueError, "buffers of the wrong size");
        goto end;
    }
    frames = size / width;
    field_count /= (Py_ssize_t)sizeof(Field);
    for (Py_ssize_t place = 0; good && place < field_count; place++)
        good = fields[place].first_byte >= 0 && fields[place].first_byte <= width - WORD_BYTES && fields[place].left < 64
               && fields[place].right < 64 && fields[place].operation < OPERATIONS;
    for (Py_ssize_t place = 0; good && place < numbers / 5; place++) {
        const Segment *one = &segments[place];
        good = one->low >= 0 && one->low <= one->high && one->high <= field_count && one->begin >= 0 && one->begin <= ordered
               && one->count >= 0 && one->count <= ordered - one->begin && one->out >= 0 && one->out <= room
               && (!one->count || one->high - one->low <= (room - one->out) / one->count);
    }
    if (!good) {
        PyErr_SetString(PyExc_ValueError, "a field or segment that lies outside");
        goto end;
    }
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t place = 0; good && place < numbers / 5; place++)
        good = decode_segment(&segments[place], fields, halves, data, width, frames, order, out);
    Py_END_ALLOW_THREADS
    if (!good) {
        PyErr_SetString(PyExc_ValueError, "a row that lies outside");
        goto end;
    }
    answer = Py_NewRef(Py_None);
end:
    release(&buffers);
    return answer;
}

/* ---- values to rows ---- */

enum { NOT_NUMBERS, DOUBLES, SIGNED_NUMBERS, UNSIGNED_NUMBERS };

/* What the items of an array are; only numbers of eight bytes are known here. */
static int kind_of(const Py_buffer *view)
{
    const char *format = view->format ? view->format : "B";
    if (view->itemsize != 8 || view->ndim != 1 || (uintptr_t)view->buf % 8)
        return NOT_NUMBERS;
    if (!strcmp(format, "d"))
        return DOUBLES;
    if (!strcmp(format, "l") || !strcmp(format, "q"))
        return SIGNED_NUMBERS;
    if (!strcmp(format, "L") || !strcmp(format, "Q"))
        return UNSIGNED_NUMBERS;
    return NOT_NUMBERS;
}

static PyObject *as_object(const void *items, Py_ssize_t place, int kind)
{
    if (kind == DOUBLES)
        return PyFloat_FromDouble(((const double *)items)[place]);
    if (kind == SIGNED_NUMBERS)
        return PyLong_FromLongLong(((const int64_t *)items)[place]);
    return PyLong_FromUnsignedLongLong(((const uint64_t *)items)[place]);
}

#define EXTREMES(Type)                                                                                                         \
    static int extremes_of_##Type(const Type *items, Py_ssize_t count, Py_ssize_t *least, Py_ssize_t *greatest)                \
    {                                                                                                                          \
        Py_ssize_t first = 0;                                                                                                  \
        Type low, high;                                                                                                        \
        while (first < count && items[first] != items[first])                                                                  \
            first++;                                                                                                           \
        if (first == count)                                                                                                    \
            return 0;                                                                                                          \
        *least = *greatest = first;                                                                                            \
        low = high = items[first];                                                                                             \
        for (Py_ssize_t place = first + 1; place < count; place++) {                                                           \
            if (items[place] < low) {                                                                                          \
                low = items[place];                                                                                            \
                *least = place;                                                                                                \
            }                                                                                                                  \
            if (items[place] > high) {                                                                                         \
                high = items[place];                                                                                           \
                *greatest = place;                                                                                             \
            }                                                                                                                  \
        }                                                                                                                      \
        return 1;                                                                                                              \
    }

EXTREMES(double)
EXTREMES(int64_t)
EXTREMES(uint64_t)

static PyObject *extremes_of(PyObject *values)
{
    Py_buffer view;
    Py_ssize_t least = 0, greatest = 0, count;
    PyObject *answer = NULL, *low, *high, *last;
    int kind, any;
    if (PyObject_GetBuffer(values, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0) {
        PyErr_Clear();
        return Py_NewRef(Py_None);
    }
    kind = kind_of(&view);
    count = view.len / 8;
    if (kind == NOT_NUMBERS || !count) {
        PyBuffer_Release(&view);
        return Py_NewRef(Py_None);
    }
    any = kind == DOUBLES          ? extremes_of_double(view.buf, count, &least, &greatest)
          : kind == SIGNED_NUMBERS ? extremes_of_int64_t(view.buf, count, &least, &greatest)
                                   : extremes_of_uint64_t(view.buf, count, &least, &greatest);
    low = any ? as_object(view.buf, least, kind) : Py_NewRef(Py_None);
    high = any ? as_object(view.buf, greatest, kind) : Py_NewRef(Py_None);
    last = as_object(view.buf, count - 1, kind);
    if (low && high && last)
        answer = Py_BuildValue("(nOOO)", count, low, high, last);
    Py_XDECREF(low);
    Py_XDECREF(high);
    Py_XDECREF(last);
    PyBuffer_Release(&view);
    return answer;
}

PyDoc_STRVAR(extremes_doc,
    "extremes(columns, /)\n--\n\n"
    "Of each array of numbers: how many, the first least and the first greatest, NaN apart (None if there is nothing else),\n"
    "and the last. None for an array that is empty or holds something else than doubles and integers of 64 bits.");

static PyObject *extremes(PyObject *self, PyObject *columns)
{
    Py_ssize_t count = PySequence_Size(columns);
    PyObject *answer = count < 0 ? NULL : PyList_New(count);
    (void)self;
    for (Py_ssize_t place = 0; answer && place < count; place++) {
        PyObject *values = PySequence_GetItem(columns, place), *one = values ? extremes_of(values) : NULL;
        Py_XDECREF(values);
        if (!one || PyList_SetItem(answer, place, one) < 0)
            Py_CLEAR(answer);
    }
    return answer;
}

typedef struct {
    Py_buffer rows;
    Py_buffer values;
    int kind;
} Column;

/* Columns of a batch, and their values in order of the frames. */
typedef struct {
    Column *columns;
    Py_ssize_t count;
    Py_ssize_t total;
    uint32_t *owner;
    uint32_t *place;
} Table;

static void close_table(Table *table)
{
    while (table->count) {
        Column *column = &table->columns[--table->count];
        PyBuffer_Release(&column->rows);
        PyBuffer_Release(&column->values);
    }
    PyMem_Free(table->columns);
    PyMem_Free(table->owner);
    PyMem_Free(table->place);
    memset(table, 0, sizeof *table);
}

/* Bring the values of a batch of `frames` frames in order: by frame, those of a frame in order of the columns.
 * 1 if done, 0 if a column holds what is not known here, -1 with an exception. */
static int open_table(Table *table, PyObject *rows, PyObject *values, Py_ssize_t frames)
{
    Py_ssize_t count = PySequence_Size(rows), *next = NULL;
    int outcome = -1;
    memset(table, 0, sizeof *table);
    if (count < 0 || PySequence_Size(values) != count || count > INT32_MAX || frames > INT32_MAX) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "columns of unequal length");
        return -1;
    }
    if (!(table->columns = PyMem_Calloc((size_t)count + 1, sizeof(Column))) || !(next = PyMem_Calloc((size_t)frames + 1, sizeof *next))) {
        PyErr_NoMemory();
        goto end;
    }
    for (Py_ssize_t which = 0; which < count; which++) {
        Column *column = &table->columns[which];
        PyObject *one = PySequence_GetItem(rows, which), *other = PySequence_GetItem(values, which);
        int held = one && other && PyObject_GetBuffer(one, &column->rows, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) == 0;
        int both = held && PyObject_GetBuffer(other, &column->values, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) == 0;
        Py_XDECREF(one);
        Py_XDECREF(other);
        if (!both) {
            if (held)
                PyBuffer_Release(&column->rows);
            if (PyErr_ExceptionMatches(PyExc_ValueError) || PyErr_ExceptionMatches(PyExc_BufferError)) {
                PyErr_Clear();
                outcome = 0;
            }
            goto end;
        }
        table->count++;
        column->kind = kind_of(&column->values);
        if (column->kind == NOT_NUMBERS) {
            outcome = 0;
            goto end;
        }
        if (kind_of(&column->rows) != SIGNED_NUMBERS || column->rows.len != column->values.len
            || table->total > INT32_MAX - column->rows.len / 8) {
            PyErr_SetString(PyExc_ValueError, "rows must be as many integers of 64 bits as there are values");
            goto end;
        }
        for (Py_ssize_t place = 0; place < column->rows.len / 8; place++) {
            int64_t row = ((const int64_t *)column->rows.buf)[place];
            if (row < 0 || row >= frames) {
                PyErr_SetString(PyExc_ValueError, "a row that lies outside");
                goto end;
            }
            next[row + 1]++;
        }
        table->total += column->rows.len / 8;
    }
    if (!(table->owner = PyMem_Malloc(((size_t)table->total + 1) * sizeof(uint32_t)))
        || !(table->place = PyMem_Malloc(((size_t)table->total + 1) * sizeof(uint32_t)))) {
        PyErr_NoMemory();
        goto end;
    }
    for (Py_ssize_t row = 0; row < frames; row++)
        next[row + 1] += next[row];
    for (Py_ssize_t which = 0; which < count; which++) {
        const int64_t *own = table->columns[which].rows.buf;
        for (Py_ssize_t place = 0; place < table->columns[which].rows.len / 8; place++) {
            Py_ssize_t to = next[own[place]]++;
            table->owner[to] = (uint32_t)which;
            table->place[to] = (uint32_t)place;
        }
    }
    outcome = 1;
end:
    PyMem_Free(next);
    if (outcome != 1)
        close_table(table);
    return outcome;
}

PyDoc_STRVAR(in_order_doc,
    "in_order(rows, values, t_ns, times, owners, doubles, /)\n--\n\n"
    "Write the values of columns by frame, those of a frame in order of the columns: time, number of the column, value as\n"
    "a double. False, and nothing written, if a column holds something else than doubles and integers of 64 bits.");

static PyObject *in_order(PyObject *self, PyObject *args)
{
    PyObject *rows, *values, *objects[4], *answer = NULL;
    Buffers buffers = {.count = 0};
    Table table = {0};
    const int64_t *t_ns;
    int64_t *times;
    int32_t *owners;
    double *doubles;
    Py_ssize_t frames, counts[3];
    int known;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOOO", &rows, &values, &objects[0], &objects[1], &objects[2], &objects[3]))
        return NULL;
    if (!(t_ns = take(&buffers, objects[0], 8, 0, &frames)) || !(times = take(&buffers, objects[1], 8, 1, &counts[0]))
        || !(owners = take(&buffers, objects[2], 4, 1, &counts[1])) || !(doubles = take(&buffers, objects[3], 8, 1, &counts[2])))
        goto end;
    if ((known = open_table(&table, rows, values, frames)) < 0)
        goto end;
    if (!known) {
        answer = Py_NewRef(Py_False);
        goto end;
    }
    if (counts[0] != table.total || counts[1] != table.total || counts[2] != table.total) {
        PyErr_SetString(PyExc_ValueError, "columns must be as long as there are values");
        goto end;
    }
    for (Py_ssize_t to = 0; to < table.total; to++) {
        const Column *column = &table.columns[table.owner[to]];
        const uint32_t place = table.place[to];
        const void *items = column->values.buf;
        times[to] = t_ns[((const int64_t *)column->rows.buf)[place]];
        owners[to] = (int32_t)table.owner[to];
        doubles[to] = column->kind == DOUBLES          ? ((const double *)items)[place]
                      : column->kind == SIGNED_NUMBERS ? (double)((const int64_t *)items)[place]
                                                       : (double)((const uint64_t *)items)[place];
    }
    answer = Py_NewRef(Py_True);
end:
    close_table(&table);
    release(&buffers);
    return answer;
}

/* Text that grows. */
typedef struct {
    char *at;
    size_t size;
    size_t room;
} Writing;

static int make_room(Writing *out, size_t more)
{
    if (out->room - out->size < more) {
        size_t room = out->room + out->room / 2 + more + 4096;
        char *at = PyMem_Realloc(out->at, room);
        if (!at) {
            PyErr_NoMemory();
            return 0;
        }
        out->at = at;
        out->room = room;
    }
    return 1;
}

static void append(Writing *out, const char *text, size_t size)
{
    memcpy(out->at + out->size, text, size);
    out->size += size;
}

enum { NUMBER_MOST = 32 }; /* more than any integer of 64 bits and any repr() of a double has */

static size_t digits_of(uint64_t value, char *text)
{
    char reversed[NUMBER_MOST];
    size_t size = 0;
    do
        reversed[size++] = (char)('0' + value % 10);
    while (value /= 10);
    for (size_t place = 0; place < size; place++)
        text[place] = reversed[size - 1 - place];
    return size;
}

static size_t integer_text(int64_t value, char *text)
{
    if (value >= 0)
        return digits_of((uint64_t)value, text);
    text[0] = '-';
    return 1 + digits_of(0 - (uint64_t)value, text + 1);
}

enum { REMEMBERED = 4096 };

/* Doubles whose text was made lately: signals take few values, and the shortest digits are dear. */
typedef struct {
    uint64_t bits;
    uint8_t size;
    char text[NUMBER_MOST - 1];
} Remembered;

/* repr() of a double into `text`; 0 with an exception. */
static size_t double_text(double value, char *text, Remembered *memory)
{
    uint64_t bits;
    Remembered *one;
    char *made;
    size_t size;
    memcpy(&bits, &value, sizeof bits);
    one = &memory[(bits * UINT64_C(0x9E3779B97F4A7C15)) >> 52];
    if (!one->size || one->bits != bits) {
        if (!(made = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, NULL)))
            return 0;
        size = strlen(made);
        if (size > sizeof one->text) {
            PyMem_Free(made);
            PyErr_SetString(PyExc_SystemError, "a number of more digits than there are");
            return 0;
        }
        memcpy(one->text, made, size);
        one->size = (uint8_t)size;
        one->bits = bits;
        PyMem_Free(made);
    }
    memcpy(text, one->text, one->size);
    return one->size;
}

static size_t value_text(const Column *column, uint32_t place, int json, char *text, Remembered *memory)
{
    if (column->kind == DOUBLES) {
        double value = ((const double *)column->values.buf)[place];
        if (json && !isfinite(value)) {
            const char *word = value != value ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
            memcpy(text, word, strlen(word));
            return strlen(word);
        }
        return double_text(value, text, memory);
    }
    if (column->kind == SIGNED_NUMBERS)
        return integer_text(((const int64_t *)column->values.buf)[place], text);
    return digits_of(((const uint64_t *)column->values.buf)[place], text);
}

PyDoc_STRVAR(text_rows_doc,
    "text_rows(rows, values, t_ns, begin, heads, end, json, /)\n--\n\n"
    "A line a value, by frame and in order of the columns: begin, time, heads[column], repr of the value, end; with `json`\n"
    "NaN and infinities are words in quotes. None if a column holds something else than doubles and integers of 64 bits.");

static PyObject *text_rows(PyObject *self, PyObject *args)
{
    PyObject *rows, *values, *object, *heads, *answer = NULL;
    const char *begin, *finish;
    Py_ssize_t begin_size, end_size, frames;
    int json, known;
    Buffers buffers = {.count = 0};
    Table table = {0};
    Writing out = {0};
    const int64_t *t_ns;
    const char **head = NULL;
    Py_ssize_t *head_size = NULL;
    Remembered *memory = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOy#Oy#p", &rows, &values, &object, &begin, &begin_size, &heads, &finish, &end_size, &json))
        return NULL;
    if (!PyTuple_Check(heads)) {
        PyErr_SetString(PyExc_TypeError, "heads must be a tuple");
        return NULL;
    }
    if (!(t_ns = take(&buffers, object, 8, 0, &frames)) || (known = open_table(&table, rows, values, frames)) < 0)
        goto end;
    if (!known) {
        answer = Py_NewRef(Py_None);
        goto end;
    }
    if (PyTuple_Size(heads) != table.count) {
        PyErr_SetString(PyExc_ValueError, "a head for each column is needed");
        goto end;
    }
    head = PyMem_Calloc((size_t)table.count + 1, sizeof *head);
    head_size = PyMem_Calloc((size_t)table.count + 1, sizeof *head_size);
    memory = PyMem_Calloc(REMEMBERED, sizeof *memory);
    if (!head || !head_size || !memory) {
        PyErr_NoMemory();
        goto end;
    }
    for (Py_ssize_t which = 0; which < table.count; which++) {
        char *text;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(heads, which), &text, &head_size[which]) < 0)
            goto end;
        head[which] = text;
    }
    for (Py_ssize_t to = 0; to < table.total; to++) {
        const uint32_t owner = table.owner[to], place = table.place[to];
        const Column *column = &table.columns[owner];
        size_t size;
        if (!make_room(&out, (size_t)begin_size + (size_t)head_size[owner] + (size_t)end_size + 2 * NUMBER_MOST))
            goto end;
        append(&out, begin, (size_t)begin_size);
        out.size += integer_text(t_ns[((const int64_t *)column->rows.buf)[place]], out.at + out.size);
        append(&out, head[owner], (size_t)head_size[owner]);
        if (!(size = value_text(column, place, json, out.at + out.size, memory)))
            goto end;
        out.size += size;
        append(&out, finish, (size_t)end_size);
    }
    answer = PyBytes_FromStringAndSize(out.at, (Py_ssize_t)out.size);
end:
    PyMem_Free(out.at);
    PyMem_Free(head);
    PyMem_Free(head_size);
    PyMem_Free(memory);
    close_table(&table);
    release(&buffers);
    return answer;
}

/* ---- frames out of the kernel's ring ---- */

/* As in edge/bus/socketcan/ring_block.py and kernel_frames.py. */
enum { BLOCK_HEAD = 48, BLOCK_COUNT_AT = 12, BLOCK_FIRST_AT = 16 };
enum { PACKET_HEAD = 68, PACKET_STEP_SHORTEST = 72, PACKET_ALIGNMENT = 8 };
enum { STEP_AT = 0, SECOND_AT = 4, NANOSECOND_AT = 8, SNAPLEN_AT = 12, SIZE_AT = 16, STATUS_AT = 20, MAC_AT = 24, PROTOCOL_AT = 50,
       INTERFACE_AT = 52 };
enum { CLASSIC_SIZE = 16, FD_SIZE = 72, CLASSIC_PROTOCOL = 0x0C, FD_PROTOCOL = 0x0D };
enum { LENGTH_AT = 4, FD_FLAGS_AT = 5, DATA_AT = 8 };
#define STAMP_OF_CONTROLLER 0x80000000u
#define CAN_EXTENDED 0x80000000u
#define CAN_REMOTE 0x40000000u
#define CAN_ERROR 0x20000000u
#define BEYOND_STANDARD 0x1FFFF800u

typedef struct {
    int64_t *wall_ns;
    uint8_t *hardware;
    uint32_t *can_id;
    uint8_t *length;
    uint8_t *fd;
    uint8_t *fd_flags;
    int32_t *interface;
    uint8_t *data;
    Py_ssize_t count;
    Py_ssize_t width;
} Cells;

static ALWAYS_INLINE uint32_t word_at(const uint8_t *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

enum { READ, NARROW, STRANGE };

/* Read one packet, of which `room` bytes lie in its block, into one place of the columns. */
static ALWAYS_INLINE int read_packet(const uint8_t *packet, uint64_t room, int protocols, const Cells *to, Py_ssize_t place)
{
    const uint32_t size = word_at(packet + SIZE_AT), snaplen = word_at(packet + SNAPLEN_AT);
    const int fd = size == FD_SIZE;
    const uint8_t *frame;
    uint8_t *data;
    uint32_t can_id;
    uint16_t mac;
    unsigned length, carried;
    memcpy(&mac, packet + MAC_AT, sizeof mac);
    if ((!fd && size != CLASSIC_SIZE) || snaplen < size || mac < PACKET_HEAD || (uint64_t)mac + snaplen > room)
        return STRANGE;
    if (protocols && (packet[PROTOCOL_AT] << 8 | packet[PROTOCOL_AT + 1]) != (fd ? FD_PROTOCOL : CLASSIC_PROTOCOL))
        return STRANGE;
    if (fd && to->width < FD_BYTES)
        return NARROW;
    frame = packet + mac;
    can_id = word_at(frame);
    length = frame[LENGTH_AT];
    if (fd ? !is_fd_length(length) : length > CLASSIC_BYTES)
        return STRANGE;
    if (can_id & BEYOND_STANDARD && !(can_id & (CAN_EXTENDED | CAN_ERROR)))
        return STRANGE;
    if (fd)
        can_id &= ~CAN_REMOTE;
    carried = (can_id & (CAN_REMOTE | CAN_ERROR)) == CAN_REMOTE ? 0 : length;
    to->wall_ns[place] = (int64_t)word_at(packet + SECOND_AT) * NS_PER_S + word_at(packet + NANOSECOND_AT);
    to->hardware[place] = (word_at(packet + STATUS_AT) & STAMP_OF_CONTROLLER) != 0;
    to->can_id[place] = can_id;
    to->length[place] = (uint8_t)length;
    to->fd[place] = (uint8_t)fd;
    to->fd_flags[place] = fd ? frame[FD_FLAGS_AT] : 0;
    memcpy(&to->interface[place], packet + INTERFACE_AT, sizeof *to->interface);
    data = to->data + place * to->width;
    memset(data, 0, (size_t)to->width);
    memcpy(data, frame + DATA_AT, carried);
    return READ;
}

/* Read the packets of all blocks, which hold as many as the columns have places. */
static int read_blocks(const uint8_t *block, Py_ssize_t blocks, uint64_t block_bytes, int protocols, const Cells *to)
{
    Py_ssize_t place = 0;
    for (; blocks > 0; blocks--, block += block_bytes) {
        uint64_t at = word_at(block + BLOCK_FIRST_AT);
        for (uint32_t left = word_at(block + BLOCK_COUNT_AT); left > 0; left--) {
            uint64_t room, step;
            int found;
            if (at < BLOCK_HEAD || at % PACKET_ALIGNMENT || at + PACKET_HEAD > block_bytes || place == to->count)
                return STRANGE;
            room = block_bytes - at;
            step = word_at(block + at + STEP_AT);
            if (left > 1) {
                if (step < PACKET_STEP_SHORTEST || step > room)
                    return STRANGE;
                room = step;
            }
            if ((found = read_packet(block + at, room, protocols, to, place++)) != READ)
                return found;
            at += step;
        }
    }
    return place == to->count ? READ : STRANGE;
}

PyDoc_STRVAR(ring_cells_doc,
    "ring_cells(blocks, block_bytes, protocols, wall_ns, hardware, can_id, length, fd, fd_flags, interface, data, /)\n--\n\n"
    "Read the packets of blocks of a TPACKET_V3 ring as edge.bus.socketcan.ring_cells does; columns are filled. `protocols`\n"
    "tells whether packets have the ethertypes of CAN. False if `data` is too narrow for a frame of CAN FD; None if anything\n"
    "is no whole frame, or the columns have not one place for each.");

static PyObject *ring_cells(PyObject *self, PyObject *args)
{
    PyObject *objects[9], *answer = NULL;
    Buffers buffers = {.count = 0};
    Cells to;
    const uint8_t *blocks;
    Py_ssize_t block_bytes, size, counts[6], cells;
    int protocols, found;
    (void)self;
    if (!PyArg_ParseTuple(args, "OnpOOOOOOOO", &objects[0], &block_bytes, &protocols, &objects[1], &objects[2], &objects[3],
                          &objects[4], &objects[5], &objects[6], &objects[7], &objects[8]))
        return NULL;
    if (!(blocks = take(&buffers, objects[0], 1, 0, &size)) || !(to.wall_ns = take(&buffers, objects[1], 8, 1, &to.count))
        || !(to.hardware = take(&buffers, objects[2], 1, 1, &counts[0])) || !(to.can_id = take(&buffers, objects[3], 4, 1, &counts[1]))
        || !(to.length = take(&buffers, objects[4], 1, 1, &counts[2])) || !(to.fd = take(&buffers, objects[5], 1, 1, &counts[3]))
        || !(to.fd_flags = take(&buffers, objects[6], 1, 1, &counts[4]))
        || !(to.interface = take(&buffers, objects[7], 4, 1, &counts[5])) || !(to.data = take(&buffers, objects[8], 1, 1, &cells)))
        goto end;
    for (int place = 0; place < 6; place++)
        if (counts[place] != to.count) {
            PyErr_SetString(PyExc_ValueError, "columns of unequal length");
            goto end;
        }
    to.width = to.count ? cells / to.count : CLASSIC_BYTES;
    if ((to.width != CLASSIC_BYTES && to.width != FD_BYTES) || cells != to.count * to.width) {
        PyErr_SetString(PyExc_ValueError, "data must be 8 or 64 bytes wide");
        goto end;
    }
    if (block_bytes < BLOCK_HEAD || size % block_bytes) {
        PyErr_SetString(PyExc_ValueError, "blocks of the wrong size");
        goto end;
    }
    Py_BEGIN_ALLOW_THREADS
    found = read_blocks(blocks, size / block_bytes, (uint64_t)block_bytes, protocols, &to);
    Py_END_ALLOW_THREADS
    answer = found == STRANGE ? Py_NewRef(Py_None) : PyBool_FromLong(found == READ);
end:
    release(&buffers);
    return answer;
}

/* ---- frames through the door ---- */

/* Of each mask row, four numbers: what it is, fewest and most bytes of its frames, and where its mask ends; as
 * edge/policy/compiled_masks.py lays them out. */
enum { ROW_KEEPS = 1, ROW_CHANNEL = 2, ROW_DESCRIBED = 4, ROW_CONTAINER = 8 };
enum { TRAIT_KIND, TRAIT_SHORTEST, TRAIT_LONGEST, TRAIT_END, TRAITS };
enum { REMOTE_FRAME = 0x02, REASSEMBLED = 0x80, UNKNOWN_ROW = 0, STANDARD_IDS = 0x800, NOT_KEPT = -1, SPECIAL = -2 };

typedef struct {
    const int32_t *standard;
    const int64_t *keys;
    const int32_t *rows;
    const int64_t *group_keys;
    const int32_t *group_rows;
    const uint16_t *traits;
    const uint8_t *j1939;
    Py_ssize_t keys_count;
    Py_ssize_t groups_count;
    Py_ssize_t rows_count;
    Py_ssize_t buses;
} Masks;

/* Take the seven arrays of a mask set out of a tuple. */
static int take_masks(Buffers *buffers, PyObject *tables, Masks *masks)
{
    PyObject *objects[7];
    Py_ssize_t standard, rows, groups, traits;
    if (!PyArg_ParseTuple(tables, "OOOOOOO", &objects[0], &objects[1], &objects[2], &objects[3], &objects[4], &objects[5],
                          &objects[6]))
        return 0;
    if (!(masks->standard = take(buffers, objects[0], 4, 0, &standard))
        || !(masks->keys = take(buffers, objects[1], 8, 0, &masks->keys_count))
        || !(masks->rows = take(buffers, objects[2], 4, 0, &rows))
        || !(masks->group_keys = take(buffers, objects[3], 8, 0, &masks->groups_count))
        || !(masks->group_rows = take(buffers, objects[4], 4, 0, &groups))
        || !(masks->traits = take(buffers, objects[5], 2, 0, &traits))
        || !(masks->j1939 = take(buffers, objects[6], 1, 0, &masks->buses)))
        return 0;
    masks->rows_count = traits / TRAITS;
    if (standard != masks->buses * STANDARD_IDS || rows != masks->keys_count || groups != masks->groups_count || traits % TRAITS
        || !traits) {
        PyErr_SetString(PyExc_ValueError, "tables of masks that do not fit each other");
        return 0;
    }
    return 1;
}

/* The place of `key` among rising `keys`, or -1. */
static ALWAYS_INLINE Py_ssize_t place_of(const int64_t *keys, Py_ssize_t count, int64_t key)
{
    Py_ssize_t low = 0, high = count;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && keys[low] == key ? low : -1;
}

/* The row of a frame, as MaskSet.find gives it. */
static int32_t row_of(const Masks *masks, int64_t bus, uint32_t identifier, int extended)
{
    Py_ssize_t place;
    uint32_t group;
    if (!extended)
        return identifier < STANDARD_IDS ? masks->standard[bus * STANDARD_IDS + identifier] : UNKNOWN_ROW;
    if (identifier > EXTENDED_ID_MAX)
        return UNKNOWN_ROW;
    if ((place = place_of(masks->keys, masks->keys_count, bus << 29 | (int64_t)identifier)) >= 0)
        return masks->rows[place];
    group = identifier >> 8 & 0x3FFFF;
    if ((identifier >> 16 & 0xFF) < 0xF0)
        group &= 0x3FF00; /* PDU1: the lowest byte is an address */
    place = place_of(masks->group_keys, masks->groups_count, bus << 18 | (int64_t)group);
    return place >= 0 ? masks->group_rows[place] : UNKNOWN_ROW;
}

/* Whether an id is one of the transport protocol, as edge/policy/j1939_transport.py says. */
static int is_transport(uint32_t identifier)
{
    uint32_t group = identifier >> 8 & 0x3FF00;
    return group == 0xEC00 || group == 0xEB00 || group == 0xC800 || group == 0xC700;
}

typedef struct {
    int64_t *t_ns;
    uint8_t *bus;
    uint32_t *arbitration_id;
    uint16_t *flags;
    uint16_t *length;
    uint8_t *data;
    Py_ssize_t count;
    Py_ssize_t width;
} Frames;

/* Take the columns of a batch: time, bus, id, flags, length, data. */
static int take_frames(Buffers *buffers, PyObject *columns, int writable, Frames *frames)
{
    PyObject *objects[6];
    Py_ssize_t counts[4], size;
    if (!PyArg_ParseTuple(columns, "OOOOOO", &objects[0], &objects[1], &objects[2], &objects[3], &objects[4], &objects[5]))
        return 0;
    if (!(frames->t_ns = take(buffers, objects[0], 8, writable, &frames->count))
        || !(frames->bus = take(buffers, objects[1], 1, writable, &counts[0]))
        || !(frames->arbitration_id = take(buffers, objects[2], 4, writable, &counts[1]))
        || !(frames->flags = take(buffers, objects[3], 2, writable, &counts[2]))
        || !(frames->length = take(buffers, objects[4], 2, writable, &counts[3]))
        || !(frames->data = take(buffers, objects[5], 1, writable, &size)))
        return 0;
    for (int place = 0; place < 4; place++)
        if (counts[place] != frames->count) {
            PyErr_SetString(PyExc_ValueError, "columns of unequal length");
            return 0;
        }
    frames->width = frames->count ? size / frames->count : CLASSIC_BYTES;
    if ((frames->width != CLASSIC_BYTES && frames->width != FD_BYTES) || size != frames->count * frames->width) {
        PyErr_SetString(PyExc_ValueError, "data must be 8 or 64 bytes wide");
        return 0;
    }
    return 1;
}

enum { COUNT_ERROR, COUNT_REMOTE, COUNT_UNKNOWN_BUS, COUNT_DESCRIBED, COUNT_UNKNOWN_ID, COUNT_NOTHING, COUNT_SHORT, COUNT_LONG,
       COUNT_KEPT, COUNT_BEYOND, COUNT_NEWEST, DOOR_COUNTS };

/* What one judgement writes. */
typedef struct {
    int32_t *rows;
    int64_t *counts;
    int64_t *judged;
    int64_t *kept;
    int64_t *refused;
    int64_t *beyond;
} Judgement;

/* Whether a frame is a container, or a segment of a longer message. */
static ALWAYS_INLINE int is_special(const Masks *masks, const uint16_t *traits, const Frames *frames, Py_ssize_t place, int64_t bus)
{
    if (traits[TRAIT_KIND] & (ROW_CHANNEL | ROW_CONTAINER)) {
        const uint8_t first = frames->data[place * frames->width];
        if (traits[TRAIT_KIND] & ROW_CONTAINER || !(traits[TRAIT_KIND] & ROW_DESCRIBED) || !frames->length[place] || !first
            || first >= CLASSIC_BYTES)
            return 1;
    }
    return frames->flags[place] & EXTENDED && masks->j1939[bus] && is_transport(frames->arbitration_id[place]);
}

/* The row of each frame, NOT_KEPT where none judges it, as of error frames; SPECIAL where that takes more than one look.
 * Nothing is counted here but how many of these there are; -1 if a frame leads outside. */
static Py_ssize_t find_rows(const Masks *masks, const int64_t *numbers, Py_ssize_t numbers_count, const Frames *frames, int32_t *rows)
{
    Py_ssize_t special = 0;
    for (Py_ssize_t place = 0; place < frames->count; place++) {
        const unsigned flags = frames->flags[place];
        const int extended = flags & EXTENDED;
        const uint16_t *traits;
        int64_t bus;
        int32_t row;
        if (frames->bus[place] >= numbers_count)
            return -1;
        bus = numbers[frames->bus[place]];
        if (bus < 0 || flags & (ERROR_FRAME | REMOTE_FRAME)) {
            rows[place] = NOT_KEPT;
            continue;
        }
        if (bus >= masks->buses)
            return -1;
        row = row_of(masks, bus, frames->arbitration_id[place], extended);
        if (row < 0 || row >= masks->rows_count)
            return -1;
        traits = masks->traits + (Py_ssize_t)row * TRAITS;
        if (is_special(masks, traits, frames, place, bus)) {
            row = SPECIAL;
            special++;
        }
        rows[place] = row;
    }
    return special;
}

/* Judge every frame by its row: its row stays, if something of it is kept. Special ones are left alone. */
static void judge_rows(const Masks *masks, const int64_t *numbers, const Frames *frames, const Judgement *to)
{
    int64_t *counts = to->counts;
    for (Py_ssize_t place = 0; place < frames->count; place++) {
        const int32_t row = to->rows[place];
        const uint32_t identifier = frames->arbitration_id[place];
        const uint16_t *traits;
        if (!place || frames->t_ns[place] > counts[COUNT_NEWEST])
            counts[COUNT_NEWEST] = frames->t_ns[place];
        if (row == SPECIAL)
            continue;
        if (row == NOT_KEPT) {
            const unsigned flags = frames->flags[place];
            counts[flags & ERROR_FRAME ? COUNT_ERROR : flags & REMOTE_FRAME ? COUNT_REMOTE : COUNT_UNKNOWN_BUS]++;
            continue;
        }
        traits = masks->traits + (Py_ssize_t)row * TRAITS;
        to->judged[row]++;
        counts[COUNT_DESCRIBED] += row != UNKNOWN_ROW;
        if (!(traits[TRAIT_KIND] & ROW_KEEPS)) {
            const int64_t bus = numbers[frames->bus[place]];
            counts[row == UNKNOWN_ROW ? COUNT_UNKNOWN_ID : COUNT_NOTHING]++;
            if (identifier < STANDARD_IDS)
                to->refused[bus * STANDARD_IDS + identifier]++;
            else
                to->beyond[counts[COUNT_BEYOND]++] = bus << 32 | (int64_t)identifier;
            to->rows[place] = NOT_KEPT;
        } else if (frames->length[place] < traits[TRAIT_SHORTEST]) {
            counts[COUNT_SHORT]++;
            to->rows[place] = NOT_KEPT;
        } else if (frames->length[place] > traits[TRAIT_LONGEST]) {
            counts[COUNT_LONG]++;
            to->rows[place] = NOT_KEPT;
        } else {
            to->kept[row]++;
            counts[COUNT_KEPT]++;
        }
    }
}

PyDoc_STRVAR(judge_frames_doc,
    "judge_frames(masks, numbers, frames, rows, counts, judged, kept, refused, beyond, /)\n--\n\n"
    "Find the mask row of each frame and judge it by that, as edge.policy.door does; -1 for frames of which nothing is kept,\n"
    "-2 for segments and containers, of which nothing but their times is looked at. How many of these there are; -1, and nothing\n"
    "counted, if there is a bus that `numbers` does not know.");

static PyObject *judge_frames(PyObject *self, PyObject *args)
{
    PyObject *tables, *columns, *objects[7], *answer = NULL;
    Buffers buffers = {.count = 0};
    Masks masks;
    Frames frames;
    Judgement to;
    const int64_t *numbers;
    Py_ssize_t numbers_count, rows, counts, judged, kept, refused, beyond;
    Py_ssize_t special;
    (void)self;
    if (!PyArg_ParseTuple(args, "O!OO!OOOOOO", &PyTuple_Type, &tables, &objects[0], &PyTuple_Type, &columns, &objects[1], &objects[2],
                          &objects[3], &objects[4], &objects[5], &objects[6]))
        return NULL;
    if (!take_masks(&buffers, tables, &masks) || !(numbers = take(&buffers, objects[0], 8, 0, &numbers_count))
        || !take_frames(&buffers, columns, 0, &frames) || !(to.rows = take(&buffers, objects[1], 4, 1, &rows))
        || !(to.counts = take(&buffers, objects[2], 8, 1, &counts)) || !(to.judged = take(&buffers, objects[3], 8, 1, &judged))
        || !(to.kept = take(&buffers, objects[4], 8, 1, &kept)) || !(to.refused = take(&buffers, objects[5], 8, 1, &refused))
        || !(to.beyond = take(&buffers, objects[6], 8, 1, &beyond)))
        goto end;
    if (rows != frames.count || counts != DOOR_COUNTS || judged != masks.rows_count || kept != masks.rows_count
        || refused != masks.buses * STANDARD_IDS || beyond != frames.count) {
        PyErr_SetString(PyExc_ValueError, "buffers of the wrong size");
        goto end;
    }
    memset(to.counts, 0, DOOR_COUNTS * sizeof *to.counts);
    Py_BEGIN_ALLOW_THREADS
    special = find_rows(&masks, numbers, numbers_count, &frames, to.rows);
    if (special >= 0)
        judge_rows(&masks, numbers, &frames, &to);
    Py_END_ALLOW_THREADS
    answer = PyLong_FromSsize_t(special);
end:
    release(&buffers);
    return answer;
}

/* Numbers that say how bits pass by multiplexers, read one after the other and never beyond their end. */
typedef struct {
    const int64_t *at;
    const int64_t *end;
} Reading;

static ALWAYS_INLINE const int64_t *some(Reading *reading, int64_t count)
{
    const int64_t *from = reading->at;
    if (count < 0 || count > reading->end - from)
        return NULL;
    reading->at += count;
    return from;
}

enum { FIELD_RUNS, FIELD_SIGNED, FIELD_LAST, FIELD_SIZE, FIELD_VALUES, FIELD_NUMBERS };
enum { RUN_BYTE, RUN_LOW, RUN_BITS, RUN_WEIGHT, RUN_NUMBERS };
enum { LAYER_FIELDS, LAYER_KEYS, LAYER_WIDTH, LAYER_MASKS, LAYER_NUMBERS };

/* The raw value of a multiplexer, as edge.policy.layers.raw_values gives it; runs that lie outside add nothing. */
static int64_t raw_value(const int64_t *field, const int64_t *runs, const uint8_t *data, Py_ssize_t width)
{
    const int64_t bits = field[FIELD_SIGNED];
    uint64_t value = 0;
    for (int64_t which = 0; which < field[FIELD_RUNS]; which++, runs += RUN_NUMBERS)
        if (runs[RUN_BYTE] >= 0 && runs[RUN_BYTE] < width)
            value |= (uint64_t)(data[runs[RUN_BYTE]] >> (runs[RUN_LOW] & 7) & ((1u << (runs[RUN_BITS] & 15)) - 1))
                     << (runs[RUN_WEIGHT] & 63);
    if (bits > 0 && bits < 64 && value >> (bits - 1))
        value -= UINT64_C(1) << bits;
    return (int64_t)value;
}

/* The masks of a mask set: of all rows the bits that always pass, and what multiplexers select. */
typedef struct {
    const uint16_t *traits;
    const uint8_t *base;
    const int64_t *layers; /* of each row where its layers begin among these numbers, 0 for none; then those */
    const uint8_t *bits;
    Py_ssize_t rows;
    Py_ssize_t layers_count;
    Py_ssize_t bits_size;
} Gate;

/* Add the bits of one frame that its multiplexers select to `mask`; 0 if the numbers lead nowhere. */
static int add_layers(Reading reading, const Gate *gate, const uint8_t *data, Py_ssize_t width, unsigned length, uint8_t *mask)
{
    const int64_t *layers = some(&reading, 1);
    if (!layers)
        return 0;
    for (int64_t left = *layers; left > 0; left--) {
        const int64_t *layer = some(&reading, LAYER_NUMBERS), *keys;
        uint64_t combined = 0;
        int known = 1;
        if (!layer)
            return 0;
        for (int64_t which = 0; which < layer[LAYER_FIELDS]; which++) {
            const int64_t *field = some(&reading, FIELD_NUMBERS), *runs, *values, *classes;
            Py_ssize_t place;
            if (!field || field[FIELD_RUNS] < 0 || field[FIELD_RUNS] > 64 || !(runs = some(&reading, field[FIELD_RUNS] * RUN_NUMBERS))
                || !(values = some(&reading, field[FIELD_VALUES])) || !(classes = some(&reading, field[FIELD_VALUES])))
                return 0;
            if (!known)
                continue;
            place = (int64_t)length > field[FIELD_LAST]
                        ? place_of(values, (Py_ssize_t)field[FIELD_VALUES], raw_value(field, runs, data, width))
                        : -1;
            known = place >= 0;
            combined = combined * (uint64_t)field[FIELD_SIZE] + (known ? (uint64_t)classes[place] : 0);
        }
        if (!(keys = some(&reading, layer[LAYER_KEYS])))
            return 0;
        if (known) {
            const Py_ssize_t place = place_of(keys, (Py_ssize_t)layer[LAYER_KEYS], (int64_t)combined);
            const int64_t bytes = layer[LAYER_WIDTH], from = layer[LAYER_MASKS];
            if (place < 0)
                continue;
            if (bytes < 0 || from < 0 || from > gate->bits_size || (bytes && place >= (gate->bits_size - from) / bytes))
                return 0;
            for (int64_t byte = 0; byte < bytes && byte < width; byte++)
                mask[byte] |= gate->bits[from + place * bytes + byte];
        }
    }
    return 1;
}

/* What the masks leave of the frames that have a row; 0 if a row or mask lies outside. */
static ALWAYS_INLINE int mask_rows(const Gate *gate, const int32_t *rows, const Frames *from, const Frames *to, const Py_ssize_t width)
{
    Py_ssize_t at = 0;
    for (Py_ssize_t place = 0; place < from->count; place++) {
        const Py_ssize_t row = rows[place];
        const unsigned length = from->length[place];
        uint64_t mask[FD_BYTES / WORD_BYTES], data[FD_BYTES / WORD_BYTES];
        if (row < 0)
            continue;
        if (row >= gate->rows || at == to->count)
            return 0;
        to->t_ns[at] = from->t_ns[place];
        to->bus[at] = from->bus[place];
        to->arbitration_id[at] = from->arbitration_id[place];
        to->flags[at] = (uint16_t)(from->flags[place] & ~REASSEMBLED);
        to->length[at] = (uint16_t)length;
        memcpy(mask, gate->base + row * width, (size_t)width);
        memcpy(data, from->data + place * width, (size_t)width);
        if (gate->layers[row]) {
            Reading reading = {gate->layers, gate->layers + gate->layers_count};
            if (!some(&reading, gate->layers[row]) || !add_layers(reading, gate, (uint8_t *)data, width, length, (uint8_t *)mask))
                return 0;
        }
        if (length < gate->traits[row * TRAITS + TRAIT_END] && (Py_ssize_t)length < width)
            memset((uint8_t *)mask + length, 0, (size_t)(width - length));
        for (Py_ssize_t word = 0; word < width / WORD_BYTES; word++)
            data[word] &= mask[word];
        memcpy(to->data + at * width, data, (size_t)width);
        at++;
    }
    return at == to->count;
}

PyDoc_STRVAR(mask_frames_doc,
    "mask_frames(rows, traits, base, layers, bits, frames, kept, /)\n--\n\n"
    "Write what the masks leave of the frames whose row is not -1 into the columns of `kept`, which has one place for each.");

static PyObject *mask_frames(PyObject *self, PyObject *args)
{
    PyObject *objects[5], *columns, *kept, *answer = NULL;
    Buffers buffers = {.count = 0};
    Frames from, to;
    Gate gate;
    const int32_t *rows;
    Py_ssize_t count, traits, base;
    int good;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOOO!O!", &objects[0], &objects[1], &objects[2], &objects[3], &objects[4], &PyTuple_Type, &columns,
                          &PyTuple_Type, &kept))
        return NULL;
    if (!(rows = take(&buffers, objects[0], 4, 0, &count)) || !(gate.traits = take(&buffers, objects[1], 2, 0, &traits))
        || !(gate.base = take(&buffers, objects[2], 1, 0, &base)) || !(gate.layers = take(&buffers, objects[3], 8, 0, &gate.layers_count))
        || !(gate.bits = take(&buffers, objects[4], 1, 0, &gate.bits_size)) || !take_frames(&buffers, columns, 0, &from)
        || !take_frames(&buffers, kept, 1, &to))
        goto end;
    gate.rows = traits / TRAITS;
    if (count != from.count || traits % TRAITS || base != gate.rows * from.width || gate.layers_count < gate.rows
        || (to.count && to.width != from.width)) {
        PyErr_SetString(PyExc_ValueError, "buffers of the wrong size");
        goto end;
    }
    Py_BEGIN_ALLOW_THREADS
    good = from.width == CLASSIC_BYTES ? mask_rows(&gate, rows, &from, &to, CLASSIC_BYTES) : mask_rows(&gate, rows, &from, &to, FD_BYTES);
    Py_END_ALLOW_THREADS
    if (!good) {
        PyErr_SetString(PyExc_ValueError, "a row or mask that lies outside");
        goto end;
    }
    answer = Py_NewRef(Py_None);
end:
    release(&buffers);
    return answer;
}

/* ---- frames to blocks of the journal ---- */

typedef struct {
    uint64_t key;
    uint32_t count;
    uint32_t number; /* in order of appearance */
} Group;

static int by_key(const void *one, const void *other)
{
    const uint64_t mine = ((const Group *)one)->key, theirs = ((const Group *)other)->key;
    return (mine > theirs) - (mine < theirs);
}

typedef struct {
    uint64_t key;
    uint32_t after; /* one more than the number of its group; 0 where nothing is */
} Entry;

/* Groups in order of appearance, and an open table that finds them by key; both grow. */
typedef struct {
    Group *groups;
    Entry *table;
    uint32_t *of_row;
    uint32_t *rank;
    size_t count;
    size_t size;
} Groups;

static ALWAYS_INLINE size_t slot_of(const Entry *table, size_t size, uint64_t key)
{
    size_t slot = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (size - 1);
    while (table[slot].after && table[slot].key != key)
        slot = (slot + 1) & (size - 1);
    return slot;
}

static int grow(Groups *found)
{
    const size_t size = found->size ? 2 * found->size : 1024;
    Group *groups = realloc(found->groups, size / 2 * sizeof *groups);
    Entry *table = calloc(size, sizeof *table);
    if (groups)
        found->groups = groups;
    if (!groups || !table) {
        free(table);
        return 0;
    }
    free(found->table);
    found->table = table;
    found->size = size;
    for (size_t place = 0; place < found->count; place++) {
        const Entry entry = {groups[place].key, (uint32_t)place + 1};
        table[slot_of(table, size, entry.key)] = entry;
    }
    return 1;
}

/* Number the groups in order of appearance and count their rows. */
static int gather_groups(Groups *found, const uint8_t *bus, const uint32_t *identifier, const uint16_t *flags, const uint16_t *length,
                         Py_ssize_t count)
{
    uint32_t *const of_row = found->of_row;
    for (Py_ssize_t row = 0; row < count;) {
        /* Until the table has to grow, which is seldom, nothing of it changes but the entries. */
        Entry *const table = found->table;
        Group *const groups = found->groups;
        const size_t size = found->size;
        for (; row < count; row++) {
            const uint64_t key = (((uint64_t)length[row] << 8 | bus[row]) << 32 | identifier[row]) << 11 | flags[row];
            size_t slot;
            if (2 * (found->count + 1) > size)
                break;
            slot = slot_of(table, size, key);
            if (!table[slot].after) {
                const Group fresh = {key, 0, (uint32_t)found->count++};
                groups[fresh.number] = fresh;
                table[slot].key = key;
                table[slot].after = fresh.number + 1;
            }
            of_row[row] = table[slot].after - 1;
            groups[of_row[row]].count++;
        }
        if (row < count && !grow(found))
            return 0;
    }
    return 1;
}

PyDoc_STRVAR(group_frames_doc,
    "group_frames(length, bus, arbitration_id, flags, order, keys, counts, /)\n--\n\n"
    "Put frames of equal length, bus, id and flags together as edge.journal.frames.frame_block does. All columns are as long\n"
    "as there are frames; of `keys` and `counts` only as many places are written as the number of groups returned.");

static PyObject *group_frames(PyObject *self, PyObject *args)
{
    PyObject *objects[7], *answer = NULL;
    Buffers buffers = {.count = 0};
    Groups found = {0};
    const uint16_t *length, *flags;
    const uint8_t *bus;
    const uint32_t *identifier;
    int64_t *order, *counts;
    uint64_t *keys;
    Py_ssize_t count, sizes[6];
    int good;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOOOO", &objects[0], &objects[1], &objects[2], &objects[3], &objects[4], &objects[5], &objects[6]))
        return NULL;
    if (!(length = take(&buffers, objects[0], 2, 0, &count)) || !(bus = take(&buffers, objects[1], 1, 0, &sizes[0]))
        || !(identifier = take(&buffers, objects[2], 4, 0, &sizes[1])) || !(flags = take(&buffers, objects[3], 2, 0, &sizes[2]))
        || !(order = take(&buffers, objects[4], 8, 1, &sizes[3])) || !(keys = take(&buffers, objects[5], 8, 1, &sizes[4]))
        || !(counts = take(&buffers, objects[6], 8, 1, &sizes[5])))
        goto end;
    good = count <= INT32_MAX / 2;
    for (int place = 0; place < 6; place++)
        good &= sizes[place] == count;
    if (!good) {
        PyErr_SetString(PyExc_ValueError, "columns of unequal length");
        goto end;
    }
    Py_BEGIN_ALLOW_THREADS
    found.of_row = malloc(((size_t)count + 1) * sizeof *found.of_row);
    good = found.of_row && gather_groups(&found, bus, identifier, flags, length, count);
    found.rank = good ? malloc((found.count + 1) * sizeof *found.rank) : NULL;
    if ((good = found.rank != NULL)) {
        int64_t begin = 0;
        if (found.count)
            qsort(found.groups, found.count, sizeof *found.groups, by_key);
        for (size_t place = 0; place < found.count; place++) {
            keys[place] = found.groups[place].key;
            counts[place] = found.groups[place].count;
            found.rank[found.groups[place].number] = (uint32_t)begin;
            begin += counts[place];
        }
        for (Py_ssize_t row = 0; row < count; row++)
            order[found.rank[found.of_row[row]]++] = row;
    }
    free(found.table);
    free(found.of_row);
    free(found.rank);
    free(found.groups);
    Py_END_ALLOW_THREADS
    answer = good ? PyLong_FromSize_t(found.count) : PyErr_NoMemory();
end:
    release(&buffers);
    return answer;
}

enum { DRAWERS = 3, CALM = 2, LIVELY = 24 }; /* as in edge/journal/frames/frame_payloads.py */

/* Columns of bytes end to end, and what is written of them. */
typedef struct {
    uint8_t *columns;
    uint8_t *firsts;
    uint8_t *kinds;
    uint8_t *drawers[DRAWERS];
    size_t sizes[DRAWERS];
    size_t written;
} Payloads;

/* Lay the columns of groups of one length end to end: each byte of the first group, of the second, and so on. */
static int lay_columns(const uint8_t *data, Py_ssize_t width, Py_ssize_t frames, const int64_t *order, Py_ssize_t rows, Py_ssize_t bytes,
                       uint8_t *columns)
{
    for (Py_ssize_t row = 0; row < rows; row++) {
        const uint8_t *from;
        if (order[row] < 0 || order[row] >= frames)
            return 0;
        from = data + order[row] * width;
        for (Py_ssize_t byte = 0; byte < bytes; byte++)
            columns[byte * rows + row] = from[byte];
    }
    return 1;
}

/* Write the changes of one column of `count` bytes in the way that gives the smaller numbers, into the drawer for them. */
static void write_column(const uint8_t *column, int64_t count, Payloads *to)
{
    uint64_t of_xor = 0, of_difference = 0, least;
    int differs, drawer;
    for (int64_t row = 1; row < count; row++) {
        const uint8_t step = (uint8_t)(column[row] - column[row - 1]), back = (uint8_t)-step;
        of_xor += (uint8_t)(column[row] ^ column[row - 1]);
        of_difference += step < back ? step : back;
    }
    to->firsts[to->written] = count ? column[0] : 0;
    if (!of_xor) {
        to->kinds[to->written++] = 0;
        return;
    }
    differs = of_difference < of_xor;
    least = differs ? of_difference : of_xor;
    drawer = (least > CALM * (uint64_t)(count - 1)) + (least > LIVELY * (uint64_t)(count - 1));
    to->kinds[to->written++] = (uint8_t)(1 + 2 * drawer + differs);
    uint8_t *out = to->drawers[drawer] + to->sizes[drawer];
    if (differs)
        for (int64_t row = 1; row < count; row++)
            *out++ = (uint8_t)(column[row] - column[row - 1]);
    else
        for (int64_t row = 1; row < count; row++)
            *out++ = (uint8_t)(column[row] ^ column[row - 1]);
    to->sizes[drawer] += (size_t)(count - 1);
}

/* Write all groups; 0 if they lead outside. */
static int write_groups(const uint8_t *data, Py_ssize_t width, Py_ssize_t frames, const int64_t *order, const int64_t *lengths,
                        const int64_t *counts, Py_ssize_t groups, Payloads *to)
{
    for (Py_ssize_t first = 0, last; first < groups; first = last) {
        const Py_ssize_t bytes = (Py_ssize_t)lengths[first];
        Py_ssize_t rows = 0;
        for (last = first; last < groups && lengths[last] == bytes; last++)
            rows += (Py_ssize_t)counts[last];
        if (bytes && !lay_columns(data, width, frames, order, rows, bytes, to->columns))
            return 0;
        for (Py_ssize_t byte = 0; byte < bytes; byte++) {
            const uint8_t *column = to->columns + byte * rows;
            for (Py_ssize_t group = first; group < last; column += counts[group++])
                write_column(column, counts[group], to);
        }
        order += rows;
    }
    return 1;
}

PyDoc_STRVAR(payload_changes_doc,
    "payload_changes(data, width, order, lengths, counts, /)\n--\n\n"
    "What edge.journal.frames.frame_payloads writes of the data of grouped frames, before it is packed: the first payloads,\n"
    "the kinds of the columns, and the three drawers of changes.");

static PyObject *payload_changes(PyObject *self, PyObject *args)
{
    PyObject *objects[4], *answer = NULL;
    Buffers buffers = {.count = 0};
    Payloads to = {0};
    const uint8_t *data;
    const int64_t *order, *lengths, *counts;
    Py_ssize_t width, size, rows, groups, counted, frames, left;
    size_t cells = 0, columns = 0;
    uint8_t *memory = NULL;
    int good = 1;
    (void)self;
    if (!PyArg_ParseTuple(args, "OnOOO", &objects[0], &width, &objects[1], &objects[2], &objects[3]))
        return NULL;
    if (!(data = take(&buffers, objects[0], 1, 0, &size)) || !(order = take(&buffers, objects[1], 8, 0, &rows))
        || !(lengths = take(&buffers, objects[2], 8, 0, &groups)) || !(counts = take(&buffers, objects[3], 8, 0, &counted)))
        goto end;
    if (width < 1 || width > UINT16_MAX || size % width || groups != counted) {
        PyErr_SetString(PyExc_ValueError, "buffers of the wrong size");
        goto end;
    }
    frames = size / width;
    left = rows;
    for (Py_ssize_t group = 0; good && group < groups; group++) {
        good = lengths[group] >= 0 && lengths[group] <= width && counts[group] >= 1 && counts[group] <= left;
        if (good) {
            left -= (Py_ssize_t)counts[group];
            cells += (size_t)(lengths[group] * counts[group]);
            columns += (size_t)lengths[group];
        }
    }
    if (!good || left) {
        PyErr_SetString(PyExc_ValueError, "groups that do not fit the frames");
        goto end;
    }
    Py_BEGIN_ALLOW_THREADS
    memory = malloc((1 + DRAWERS) * cells + 2 * columns + 1);
    if (memory) {
        to.columns = memory;
        for (int drawer = 0; drawer < DRAWERS; drawer++)
            to.drawers[drawer] = memory + (size_t)(1 + drawer) * cells;
        to.firsts = memory + (1 + DRAWERS) * cells;
        to.kinds = to.firsts + columns;
        good = write_groups(data, width, frames, order, lengths, counts, groups, &to);
    }
    Py_END_ALLOW_THREADS
    if (!memory)
        PyErr_NoMemory();
    else if (!good)
        PyErr_SetString(PyExc_ValueError, "a row that lies outside");
    else
        answer = Py_BuildValue("(y#y#(y#y#y#))", to.firsts, (Py_ssize_t)columns, to.kinds, (Py_ssize_t)columns, to.drawers[0],
                               (Py_ssize_t)to.sizes[0], to.drawers[1], (Py_ssize_t)to.sizes[1], to.drawers[2], (Py_ssize_t)to.sizes[2]);
end:
    free(memory);
    release(&buffers);
    return answer;
}

/* Integers of 64 bits as NumPy reckons with them, modulo 2 to the 64. */
static int64_t plus(int64_t one, int64_t other) { return (int64_t)((uint64_t)one + (uint64_t)other); }
static int64_t minus(int64_t one, int64_t other) { return (int64_t)((uint64_t)one - (uint64_t)other); }
static int64_t magnitude(int64_t one) { return one < 0 ? minus(0, one) : one; }

static int64_t floor_quotient(int64_t one, int64_t positive)
{
    return one / positive - (one % positive < 0);
}

enum { SAMPLES = 9, NEAR = 64 }; /* as in edge/journal/frames/frame_times.py */

/* The period of the group whose rows begin at `begin`. */
static int64_t period_of(const uint64_t *since, const int64_t *order, int64_t rows, int64_t begin, int64_t count, int64_t millisecond)
{
    int64_t steps[SAMPLES], period, whole;
    if (count == 1)
        return 0;
    for (int64_t which = 0; which < SAMPLES; which++) {
        int64_t row = begin + 1 + which * (count - 1) / SAMPLES, step, place;
        if (row >= rows)
            row = rows - 1;
        step = (int64_t)(since[order[row]] - since[order[row - 1]]);
        for (place = which; place > 0 && steps[place - 1] > step; place--)
            steps[place] = steps[place - 1];
        steps[place] = step;
    }
    period = steps[SAMPLES / 2];
    if (millisecond > 1) {
        whole = (int64_t)((uint64_t)floor_quotient(plus(period, millisecond / 2), millisecond) * (uint64_t)millisecond);
        if (magnitude(minus(whole, period)) <= floor_quotient(magnitude(period), NEAR))
            period = whole;
    }
    return period;
}

static int inside(const int64_t *order, Py_ssize_t count)
{
    for (Py_ssize_t row = 0; row < count; row++)
        if (order[row] < 0 || order[row] >= count)
            return 0;
    return 1;
}

PyDoc_STRVAR(take_times_doc,
    "take_times(since, order, counts, millisecond, first, periods, rest, /)\n--\n\n"
    "Take the times of grouped rows apart as edge.journal.frames.frame_times does; `since` is in order of arrival.");

static PyObject *take_times(PyObject *self, PyObject *args)
{
    PyObject *objects[6], *answer = NULL;
    Buffers buffers = {.count = 0};
    const uint64_t *since;
    const int64_t *order, *counts;
    uint64_t *first, *rest;
    int64_t *periods, left;
    long long millisecond;
    Py_ssize_t rows, groups, sizes[4];
    int good;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOLOOO", &objects[0], &objects[1], &objects[2], &millisecond, &objects[3], &objects[4], &objects[5]))
        return NULL;
    if (!(since = take(&buffers, objects[0], 8, 0, &rows)) || !(order = take(&buffers, objects[1], 8, 0, &sizes[0]))
        || !(counts = take(&buffers, objects[2], 8, 0, &groups)) || !(first = take(&buffers, objects[3], 8, 1, &sizes[1]))
        || !(periods = take(&buffers, objects[4], 8, 1, &sizes[2])) || !(rest = take(&buffers, objects[5], 8, 1, &sizes[3])))
        goto end;
    good = sizes[0] == rows && sizes[1] == groups && sizes[2] == groups && sizes[3] == rows - groups;
    left = rows;
    for (Py_ssize_t group = 0; good && group < groups; group++) {
        good = counts[group] >= 1 && counts[group] <= left;
        left -= counts[group];
    }
    if (!good || left || !inside(order, rows)) {
        PyErr_SetString(PyExc_ValueError, "groups that do not fit the frames");
        goto end;
    }
    Py_BEGIN_ALLOW_THREADS
    for (int64_t group = 0, begin = 0; group < groups; begin += counts[group++]) {
        const int64_t period = period_of(since, order, rows, begin, counts[group], millisecond);
        uint64_t before = since[order[begin]];
        first[group] = before;
        periods[group] = period;
        for (int64_t row = begin + 1; row < begin + counts[group]; row++) {
            const uint64_t now = since[order[row]];
            const int64_t off = minus((int64_t)(now - before), period);
            *rest++ = (uint64_t)off << 1 ^ (uint64_t)arithmetic_shift((uint64_t)off, 63);
            before = now;
        }
    }
    Py_END_ALLOW_THREADS
    answer = Py_NewRef(Py_None);
end:
    release(&buffers);
    return answer;
}

static int rising(const void *one, const void *other)
{
    const int64_t mine = *(const int64_t *)one, theirs = *(const int64_t *)other;
    return (mine > theirs) - (mine < theirs);
}

enum { NONE_MOVED, SOME_MOVED, TIME_FELL };

/* Put the grouped rows of frames that arrived at one time in order, run by run, and tell how far that moves them. */
static int displace(const uint64_t *since, const int64_t *order, Py_ssize_t count, int64_t *row_of_place, uint64_t *moved)
{
    uint64_t any = 0;
    for (Py_ssize_t row = 0; row < count; row++)
        row_of_place[order[row]] = row;
    for (Py_ssize_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && since[end] == since[begin]; end++)
            ;
        if (end < count && since[end] < since[begin])
            return TIME_FELL;
        if (end - begin > 1)
            qsort(row_of_place + begin, (size_t)(end - begin), sizeof *row_of_place, rising);
        for (Py_ssize_t place = begin; place < end; place++) {
            const int64_t by = order[row_of_place[place]] - place;
            moved[place] = (uint64_t)by << 1 ^ (uint64_t)arithmetic_shift((uint64_t)by, 63);
            any |= moved[place];
        }
    }
    return any ? SOME_MOVED : NONE_MOVED;
}

PyDoc_STRVAR(displacements_doc,
    "displacements(since, order, moved, /)\n--\n\n"
    "How far each frame arrived from where its time and its group put it, as edge.journal.frames.frame_times has it. Whether\n"
    "any did; None, and `moved` means nothing, if times do not rise.");

static PyObject *displacements(PyObject *self, PyObject *args)
{
    PyObject *objects[3], *answer = NULL;
    Buffers buffers = {.count = 0};
    const uint64_t *since;
    const int64_t *order;
    uint64_t *moved;
    int64_t *memory;
    Py_ssize_t count, sizes[2];
    int found = TIME_FELL;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOO", &objects[0], &objects[1], &objects[2]))
        return NULL;
    if (!(since = take(&buffers, objects[0], 8, 0, &count)) || !(order = take(&buffers, objects[1], 8, 0, &sizes[0]))
        || !(moved = take(&buffers, objects[2], 8, 1, &sizes[1])))
        goto end;
    if (sizes[0] != count || sizes[1] != count || !inside(order, count)) {
        PyErr_SetString(PyExc_ValueError, "an order that does not fit the frames");
        goto end;
    }
    Py_BEGIN_ALLOW_THREADS
    memory = calloc((size_t)count + 1, sizeof *memory);
    if (memory)
        found = displace(since, order, count, memory, moved);
    free(memory);
    Py_END_ALLOW_THREADS
    if (!memory)
        PyErr_NoMemory();
    else
        answer = found == TIME_FELL ? Py_NewRef(Py_None) : PyBool_FromLong(found == SOME_MOVED);
end:
    release(&buffers);
    return answer;
}

/* ---- the module ---- */

static PyMethodDef methods[] = {
    {"candump", candump, METH_VARARGS, candump_doc},     {"gvret", gvret, METH_VARARGS, gvret_doc},
    {"decode", decode, METH_VARARGS, decode_doc},        {"extremes", extremes, METH_O, extremes_doc},
    {"in_order", in_order, METH_VARARGS, in_order_doc},  {"text_rows", text_rows, METH_VARARGS, text_rows_doc},
    {"ring_cells", ring_cells, METH_VARARGS, ring_cells_doc},
    {"judge_frames", judge_frames, METH_VARARGS, judge_frames_doc},
    {"mask_frames", mask_frames, METH_VARARGS, mask_frames_doc},
    {"group_frames", group_frames, METH_VARARGS, group_frames_doc},
    {"payload_changes", payload_changes, METH_VARARGS, payload_changes_doc},
    {"take_times", take_times, METH_VARARGS, take_times_doc},
    {"displacements", displacements, METH_VARARGS, displacements_doc},
    {NULL, NULL, 0, NULL},
};

static int prepare(PyObject *module)
{
    memset(nibbles, NO_DIGIT, sizeof nibbles);
    for (int digit = 0; digit < 16; digit++)
        nibbles[(unsigned char)"0123456789abcdef"[digit]] = nibbles[(unsigned char)"0123456789ABCDEF"[digit]] = (unsigned char)digit;
    if (sizeof(Field) != 32 || sizeof(Segment) != 40) {
        PyErr_SetString(PyExc_ImportError, "this machine lays structures out otherwise");
        return -1;
    }
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, prepare}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nevgate_accelerator",
    .m_doc = "The hot loops of nevgate.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_nevgate_accelerator(void)
{
    return PyModuleDef_Init(&definition);
}
