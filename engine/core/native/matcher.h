/* The programs that matcher.c runs. What they hold is said where they are put together, in matcher.py. */
#ifndef ENGINE_MATCHER_H
#define ENGINE_MATCHER_H

#include "kernels.h"

enum { DEAD, UNKNOWN, IDLE, REGISTERS = 8 };

#define NOTHING INT32_MIN

/* Leads to a state, sets registers and, unless `open` is NOTHING, has found a match that ends before this byte. */
typedef struct {
    int32_t after, first, sets, open, close;
} Move;

typedef struct {
    int32_t reg, place; /* of the register whose number it is; below zero, ~n: n bytes ago */
} Set;

typedef struct {
    const uint16_t *table, *ends, *landings;
    const Move *moves;
    const Set *sets;
    const uint8_t *needle;
    int32_t states, begin, idle, jump;
    int32_t size, rare, rarer, least, most;
    int32_t lines;
} Program;

#endif
