/*
 * The workload of links.ts over the C original (ikcp.h), on the very link of the simulator: what happens to a datagram is
 * looked up by seed, time and its index in that millisecond, as in src/simulator/dice.ts and path.ts.
 * Arguments: seed, loss, messages. Prints the milliseconds of each message, then the bytes each way with 28 of headers a datagram.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ikcp.h"

#define SIZE 100
#define EACH_MS 33
#define TIMER_MS 10
#define DELAY_MS 30
#define JITTER_MS 10
#define HEADERS 28
enum { LOSS = 0, JITTER = 2 };

typedef struct {
  long at, order;
  int length;
  char bytes[1500];
} Datagram;

typedef struct {
  uint32_t seed, key, index;
  long time, bytes;
  double loss;
  Datagram *waiting;
  int count, room;
} Path;

static long now, order;

static uint32_t mix(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

static double throw_dice(const Path *path, uint32_t index) {
  return mix(path->key ^ ((index + 1) * 0xc2b2ae3du)) / 4294967296.0;
}

static void open_path(Path *path, uint32_t seed, uint32_t stream, double loss) {
  path->seed = mix(mix(seed) ^ ((stream + 1) * 0x9e3779b1u));
  path->time = -1;
  path->loss = loss;
}

static int put(const char *bytes, int length, ikcpcb *kcp, void *user) {
  Path *path = user;
  Datagram *datagram;
  path->index = path->time == now ? path->index + 1 : 0;
  path->time = now;
  path->key = mix(mix(path->seed ^ (uint32_t)now) ^ ((path->index + 1) * 0x85ebca77u));
  path->bytes += length + HEADERS;
  if (throw_dice(path, LOSS) < path->loss) return 0;
  if (path->count == path->room) {
    path->room = path->room * 2 + 64;
    path->waiting = realloc(path->waiting, path->room * sizeof(Datagram));
  }
  datagram = &path->waiting[path->count++];
  datagram->at = (long)(now + DELAY_MS + throw_dice(path, JITTER) * JITTER_MS);
  datagram->order = order++;
  datagram->length = length;
  memcpy(datagram->bytes, bytes, length);
  return 0;
}

/* Hands over what has arrived, in order; says whether that was anything. */
static int deliver(Path *path, ikcpcb *kcp) {
  int any = 0;
  for (;;) {
    int first = -1;
    for (int i = 0; i < path->count; i++) {
      const Datagram *a = &path->waiting[i], *b = &path->waiting[first < 0 ? i : first];
      if (a->at > now) continue;
      if (first < 0 || a->at < b->at || (a->at == b->at && a->order < b->order)) first = i;
    }
    if (first < 0) return any;
    Datagram datagram = path->waiting[first];
    path->waiting[first] = path->waiting[--path->count];
    ikcp_input(kcp, datagram.bytes, datagram.length);
    any = 1;
  }
}

/* A resend is due, at a tick of the timer. */
static int is_due(const ikcpcb *kcp) {
  const struct IQUEUEHEAD *at;
  if (now % TIMER_MS != 0) return 0;
  for (at = kcp->snd_buf.next; at != &kcp->snd_buf; at = at->next) {
    const struct IKCPSEG *segment = iqueue_entry(at, const struct IKCPSEG, node);
    if ((int32_t)(kcp->current - segment->resendts) >= 0) return 1;
  }
  return 0;
}

static ikcpcb *open_end(Path *out) {
  ikcpcb *kcp = ikcp_create(1, out);
  kcp->output = put;
  ikcp_nodelay(kcp, 1, 10, 2, 1);
  ikcp_wndsize(kcp, 128, 128);
  /* Flushed on events, so there is no first ikcp_update. */
  kcp->updated = 1;
  kcp->dead_link = 1u << 30;
  kcp->cwnd = 1;
  kcp->incr = kcp->mss;
  return kcp;
}

int main(int argc, char **argv) {
  static Path forth, back;
  static char message[SIZE], target[65536];
  uint32_t seed = (uint32_t)atoi(argv[1]);
  double loss = atof(argv[2]);
  int messages = atoi(argv[3]), sent = 0, got = 0;
  long *sent_at = calloc(messages, sizeof(long)), next = 0;
  ikcpcb *a, *b;
  open_path(&forth, seed, 0, loss);
  open_path(&back, seed, 1, loss);
  a = open_end(&forth);
  b = open_end(&back);
  for (now = 0; got < messages; now++) {
    a->current = b->current = (IUINT32)now;
    int flush_a = deliver(&back, a), flush_b = deliver(&forth, b);
    while (ikcp_recv(b, target, sizeof target) >= 0) printf("%ld\n", now - sent_at[got++]);
    if (now == next && sent < messages) {
      ikcp_send(a, message, SIZE);
      sent_at[sent++] = now;
      next += EACH_MS;
      flush_a = 1;
    }
    if (flush_a || is_due(a)) ikcp_flush(a);
    if (flush_b || is_due(b)) ikcp_flush(b);
  }
  printf("%ld %ld\n", forth.bytes, back.bytes);
  return 0;
}
