/* iso8601: dates and timestamps, exactly as the reference reads them.
 *
 * A cell is told for certain: it is a date or a timestamp, or the format refuses it. (The reference still judges those,
 * since its faults have the reasons.)
 */
#include "kernels.h"

/* What a cell is. LOCAL: a time without an offset, in a column for which that is not UTC. */
enum { REFUSED = 0, READ = 1, LOCAL = 2 };

static const int64_t SECOND = 1000000, DAY = 86400000000, FIRST = -62135596800000000, LAST = 253402300799999999;

/* Two digits; more than 99: they are none. */
static inline unsigned two(const uint8_t *p) {
    unsigned tens = (unsigned)p[0] - '0', ones = (unsigned)p[1] - '0';
    return tens > 9 || ones > 9 ? 1000 : 10 * tens + ones;
}

/* Days since 1970 of the 10 characters YYYY-MM-DD; false: no date. */
static inline bool date(const uint8_t *p, int64_t *days) {
    static const uint8_t lengths[16] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned century = two(p), of_century = two(p + 2), month = two(p + 5), day = two(p + 8);
    if (century > 99 || of_century > 99 || month > 12 || p[4] != '-' || p[7] != '-')
        return false;
    unsigned year = 100 * century + of_century;
    bool leap = year % 4 == 0 && (of_century != 0 || century % 4 == 0);
    if (year == 0 || day == 0 || day > lengths[month] || (month == 2 && day == 29 && !leap))
        return false;
    /* Years that begin in March, so that leap days come last. */
    unsigned from_march = month > 2 ? month - 3 : month + 9, count = year - (month <= 2);
    *days = (int64_t)(365 * count + count / 4 - count / 100 + count / 400 + (153 * from_march + 2) / 5 + day) - 719469;
    return true;
}

/* The time after a date's T or space, in microseconds; false: none. Moves past it. */
static inline bool time_of_day(const uint8_t **place, const uint8_t *end, int64_t *micros) {
    const uint8_t *p = *place;
    if (end - p < 5 || p[2] != ':')
        return false;
    unsigned hour = two(p), minute = two(p + 3), second = 0, fraction = 0;
    p += 5;
    if (p < end && *p == ':') {
        if (end - p < 3)
            return false;
        second = two(p + 1);
        p += 3;
        if (p < end && *p == '.') {
            const uint8_t *first = ++p;
            for (; p < end && (unsigned)*p - '0' <= 9; p++)
                if (p - first < 6)
                    fraction = 10 * fraction + (*p - '0');
            if (p == first)
                return false;
            for (ptrdiff_t count = p - first; count < 6; count++)
                fraction *= 10;
        }
    }
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *micros = (3600 * hour + 60 * minute + second) * SECOND + fraction;
    *place = p;
    return true;
}

/* An offset that ends a text, in microseconds; false: none. */
static inline bool offset(const uint8_t *p, const uint8_t *end, int64_t *micros) {
    ptrdiff_t size = end - p;
    if (size == 1 && *p == 'Z') {
        *micros = 0;
        return true;
    }
    if ((size != 3 && size != 5 && size != 6) || (*p != '+' && *p != '-') || (size == 6 && p[3] != ':'))
        return false;
    unsigned hours = two(p + 1), minutes = size == 3 ? 0 : two(end - 2);
    if (hours > 23 || minutes > 59)
        return false;
    int64_t size_of = (60 * hours + minutes) * 60 * SECOND;
    *micros = *p == '-' ? -size_of : size_of;
    return true;
}

/* What a cell is: `naive` if it is a time without an offset. */
static inline int timestamp(const uint8_t *p, const uint8_t *end, int naive, int64_t *micros) {
    int64_t days, of_day = 0, zone = 0;
    if (end - p < 10 || !date(p, &days))
        return REFUSED;
    p += 10;
    if (p < end) {
        if (*p != 'T' && *p != ' ')
            return REFUSED;
        p++;
        if (!time_of_day(&p, end, &of_day))
            return REFUSED;
        if (p < end) {
            if (!offset(p, end, &zone))
                return REFUSED;
            naive = READ;
        }
    }
    *micros = days * DAY + of_day - zone;
    return *micros >= FIRST && *micros <= LAST ? naive : REFUSED;
}

/* Timestamps in microseconds: of UTC, or where `local` is set and the cell has no offset, of local time; those cells
 * are marked in the bits `naive`. `good` are the bits of the cells that are timestamps. Returns how many are not;
 * counts the marked ones in `marked`. */
EXPORT int64_t iso_timestamps(CELLS, bool local, int64_t *micros, uint8_t *good, uint8_t *naive, int64_t *marked) {
    int64_t refused = 0, count = 0;
    memset(good, 0, (size_t)(n + 7) / 8);
    memset(naive, 0, (size_t)(n + 7) / 8);
    for (int64_t row = 0; row < n; row++) {
        int found = REFUSED;
        micros[row] = 0;
        if (is_valid(valid, bit + row))
            found = timestamp(data + offsets[row], data + offsets[row + 1], local ? LOCAL : READ, &micros[row]);
        if (found == REFUSED) {
            refused++;
            continue;
        }
        set_bit(good, row);
        if (found == LOCAL) {
            set_bit(naive, row);
            count++;
        }
    }
    *marked = count;
    return refused;
}

/* Dates in days since 1970, likewise. */
EXPORT int64_t iso_dates(CELLS, int64_t *days, uint8_t *good) {
    int64_t refused = 0;
    memset(good, 0, (size_t)(n + 7) / 8);
    for (int64_t row = 0; row < n; row++) {
        days[row] = 0;
        if (is_valid(valid, bit + row) && offsets[row + 1] - offsets[row] == 10 && date(data + offsets[row], &days[row]))
            set_bit(good, row);
        else
            refused++;
    }
    return refused;
}
