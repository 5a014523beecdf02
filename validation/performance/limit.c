/* What hand-written AVX-512 does with the benchmark's work: an ensemble of dx = (x - x^3) dt + s dW by Euler's scheme.
 *
 * xoshiro256++ and Box-Muller with eight paths in a register and four groups of streams in flight, the state in registers throughout.
 * The polynomials are those of langevin_sgd/core/elementary.py, written into polynomials.h as macros by run.py, which also compiles:
 *     cc -O3 -march=native -ffast-math -fPIC -shared limit.c -o limit.so -lm
 */
#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include "polynomials.h"

#define GROUPS 4
#define WIDTH 8

typedef double doubles __attribute__((vector_size(64)));
typedef uint64_t words __attribute__((vector_size(64)));
typedef int64_t ints __attribute__((vector_size(64)));

struct streams { words s0, s1, s2, s3; };

static uint64_t hash(uint64_t *counter) {
    uint64_t z = (*counter += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void seed(struct streams *r, uint64_t key, uint64_t path) {
    for (int k = 0; k < WIDTH; k++) {
        uint64_t counter = key ^ ((path + k) * 0xD1342543DE82EF95u);
        r->s0[k] = hash(&counter);
        r->s1[k] = hash(&counter);
        r->s2[k] = hash(&counter);
        r->s3[k] = hash(&counter);
    }
}

static inline words rotate(words x, const int k) { return (x << k) | (x >> (64 - k)); }

static inline words next(struct streams *r) {
    const words result = rotate(r->s0 + r->s3, 23) + r->s0, shifted = r->s1 << 17;
    r->s2 ^= r->s0;
    r->s3 ^= r->s1;
    r->s1 ^= r->s2;
    r->s0 ^= r->s3;
    r->s2 ^= shifted;
    r->s3 = rotate(r->s3, 45);
    return result;
}

static inline doubles radius(words w) {                     /* sqrt(-2 log u), u uniform on (0, 1) */
    const doubles u = ((doubles)_mm512_cvtepi64_pd((__m512i)(w >> 11)) + 0.5) * 0x1p-53;
    const ints bits = (ints)u, exponent = (ints)_mm512_srai_epi64((__m512i)(bits - 0x3FE6A09E667F3BCD), 52);
    const doubles f = (doubles)(bits - (exponent << 52)) - 1.0;
    const doubles e = (doubles)_mm512_cvtepi64_pd((__m512i)exponent);
    return (doubles)_mm512_sqrt_pd((__m512d)(LOG(f) * f + e * -1.3862943611198906));
}

static inline void normals(struct streams *r, doubles *first, doubles *second) {
    const words a = next(r), b = next(r);
    const doubles length = radius(a), turn = (doubles)_mm512_cvtepi64_pd((__m512i)b) * 0x1p-64, square = turn * turn;
    *first = length * (turn * SIN(square));
    *second = (doubles)((words)length ^ (b << 63)) * COS(square);
}

/* paths: a multiple of 64; steps: even; x aligned to 64 bytes */
void euler(double *x, size_t paths, size_t steps, double dt, double s, uint64_t key) {
    const double amplitude = s * sqrt(dt);
    for (size_t path = 0; path < paths; path += 2 * GROUPS * WIDTH) {
        struct streams r[2 * GROUPS];
        doubles state[2 * GROUPS];
        for (int g = 0; g < 2 * GROUPS; g++) {
            seed(&r[g], key, path + WIDTH * g);
            state[g] = *(doubles *)(x + path + WIDTH * g);
        }
        for (int half = 0; half < 2; half++)
            for (size_t n = 0; n < steps; n += 2)
#pragma GCC unroll 4
                for (int g = GROUPS * half; g < GROUPS * (half + 1); g++) {
                    doubles z, w;
                    normals(&r[g], &z, &w);
                    state[g] += (state[g] - state[g] * state[g] * state[g]) * dt + amplitude * z;
                    state[g] += (state[g] - state[g] * state[g] * state[g]) * dt + amplitude * w;
                }
        for (int g = 0; g < 2 * GROUPS; g++) *(doubles *)(x + path + WIDTH * g) = state[g];
    }
}
