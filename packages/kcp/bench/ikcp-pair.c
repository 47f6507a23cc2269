/*
 * The workload of core.ts over the C original: an in-memory pair, no loss, nodelay(1, 10, 2, 1), one round is 10 ms,
 * the sender is kept at two windows, and each datagram is copied once on its way.
 * Run: ikcp-pair <payload bytes> <window> <milliseconds>
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "ikcp.h"

#define SLOTS 8192
#define SLOT 1536

typedef struct {
  char bytes[SLOTS][SLOT];
  int length[SLOTS];
  int head, tail;
} Ring;

static Ring forth, back;

static int put(const char *bytes, int length, ikcpcb *kcp, void *user) {
  Ring *ring = (Ring *)user;
  memcpy(ring->bytes[ring->tail & (SLOTS - 1)], bytes, length);
  ring->length[ring->tail & (SLOTS - 1)] = length;
  ring->tail++;
  return 0;
}

static void drain(Ring *ring, ikcpcb *kcp) {
  while (ring->head != ring->tail) {
    int slot = ring->head++ & (SLOTS - 1);
    ikcp_input(kcp, ring->bytes[slot], ring->length[slot]);
  }
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  int size = atoi(argv[1]), window = atoi(argv[2]);
  double limit = atoi(argv[3]) / 1000.0;
  char *message = calloc(1, size), *target = malloc(65536);
  ikcpcb *a = ikcp_create(1, &forth), *b = ikcp_create(1, &back);
  unsigned now = 0;
  long received = 0, counted = 0;
  double start = 0;
  a->output = put;
  b->output = put;
  ikcp_nodelay(a, 1, 10, 2, 1);
  ikcp_nodelay(b, 1, 10, 2, 1);
  ikcp_wndsize(a, window, window);
  ikcp_wndsize(b, window, window);
  for (long round = 0;; round++) {
    int got;
    while (ikcp_waitsnd(a) < 2 * window) ikcp_send(a, message, size);
    ikcp_update(a, now);
    drain(&forth, b);
    while ((got = ikcp_recv(b, target, 65536)) >= 0) {
      if (got != size) return 2;
      received++;
    }
    ikcp_update(b, now);
    drain(&back, a);
    now += 10;
    if (round == 200) {
      start = seconds();
      counted = received;
    }
    if (round > 200 && round % 16 == 0 && seconds() - start > limit) break;
  }
  printf("%.0f\n", (received - counted) / (seconds() - start));
  return 0;
}
