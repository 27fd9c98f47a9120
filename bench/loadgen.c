/* loadgen.c - load generator for chat servers, one thread with epoll.
 *
 * Modes: ws  (RFC 6455 client, masked text frames)
 *        irc (plain TCP, CRLF lines; answers PING)
 *
 * Every message has a marker in its text:   ##SSSSSQQQQQQQQTTTTTTTTTTTTTTTT
 *   S = index of the sender (5 hex digits)
 *   Q = sequence number of that sender (8 hex digits)
 *   T = CLOCK_MONOTONIC in ns (16 hex digits); with --rate the *intended* time of sending,
 *       so that coordinated omission cannot hide a stall.
 * Each receiver checks that the sequence numbers of each sender are consecutive:
 * a gap counts as lost, a step back as reordered or repeated. With --order, the numbers that the
 * server itself gives the messages of a room must also rise at each receiver.
 * A read may hold several frames, a frame several markers, and both may be split anywhere.
 *
 * At the end it waits for outstanding deliveries, at most --drain seconds. It prints one line of
 * JSON; the exit status is 1 if anything was lost, repeated, reordered or misrouted, or a
 * connection died.
 *
 * Build: gcc -O2 -march=native -Wall -o loadgen loadgen.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAXSTEP 8
#define MARKLEN 31 /* 2 + 5 + 8 + 16 */
#define RBUF (4u << 20)
#define MAXPORTS 64
#define MAXBESIDE 4

typedef struct conn {
    int fd;
    int id, room, midx; /* number of the user, of the room, index in the room */
    int at;             /* index of the port */
    int state;          /* 0 connecting, 1 handshake, 2 login steps, 100 ready, -1 dead */
    int step;
    uint8_t *left;
    uint32_t nleft, cleft; /* partial frame/line */
    uint8_t *out;
    uint32_t nout, cout, oout; /* output not yet sent: end, capacity, start */
    int sidx;                  /* index of the sender, or -1 */
    uint32_t *next;            /* next seq expected, per sender of the room */
    uint64_t t_start;
    uint64_t ndeliv;
    uint64_t order; /* the last number that --order found */
} conn_t;

typedef struct sender {
    conn_t *c;
    uint32_t seq; /* the next seq to send */
    uint32_t outstanding;
    uint32_t *remain; /* ring of W: deliveries outstanding per message */
    int dirty;
    uint8_t *tmpl;
    uint32_t ntmpl, moff; /* payload without frame header; offset of the marker */
} sender_t;

static int irc = 0, N = 100, R = 10, S = 1, W = 1, echo_ = 1, spin = 1, inflight_max = 64,
           textlen = 120;
static double rate = 0, warm = 1.0, dur = 5.0, idle_s = 0, settle = 0.5, drain = 10.0;
static const char *host = "127.0.0.1", *path = "/", *label = "";
static char *hosthdr = NULL;
static int ports[MAXPORTS] = {9000}, nports = 0;
static pid_t pid[MAXPORTS], beside[MAXBESIDE];
static int npid = 0, nbeside = 0;
static const char *order = NULL;
static int refusals = 0; /* steps that were answered with an error, and done again */
static const char *ssend[MAXSTEP], *sexp[MAXSTEP];
static int nsteps = 0, nexp = 0;
static const char *msgt = "{\"op\":\"msg\",\"room\":\"r%r\",\"text\":\"%m\"}";
static int quiet = 0, subproto = 0;

static conn_t *C;
static sender_t *SN;
static int nrooms, spr; /* rooms, senders per room */
static int ep;
static uint8_t *rb;
static int ready = 0, connecting = 0, started = 0, dead = 0;
static int phase = 0; /* 0 login, 1 settle, 2 warm, 3 measure, 4 drain */
static uint64_t deliv = 0, deliv_all = 0, reads_ = 0, frames_ = 0, bytes_ = 0, lost = 0, reord = 0,
                misroute = 0, other = 0;
static uint64_t msgs_sent = 0, msgs_sent_meas = 0, late_sends = 0;
static uint64_t now_ns;
static uint64_t total_outstanding = 0;
static int *dirtyq, ndirty = 0;
static uint64_t last_rx = 0;
static uint64_t login_lat_max = 0;

/* log-linear histogram: 128 buckets per power of two, an error of less than 0.8 % */
#define HSUB 128
typedef struct {
    uint64_t count[64 * HSUB], sum, max;
} hist_t;
/* of all deliveries, and of those through another port than the message was sent to */
static hist_t all_hist, cross_hist;
static inline int hidx(uint64_t v) {
    if (v < HSUB)
        return (int)v;
    int e = 63 - __builtin_clzll(v) - 6;
    return e * (HSUB / 2) + (int)(v >> e);
}
static inline uint64_t hval(int i) {
    if (i < HSUB)
        return i;
    int e = i / (HSUB / 2) - 1;
    return ((uint64_t)(i - e * (HSUB / 2))) << e;
}
static inline void hadd(hist_t *h, uint64_t v) {
    h->count[hidx(v)]++;
    h->sum++;
    if (v > h->max)
        h->max = v;
}
static uint64_t pct(const hist_t *h, double p) {
    if (!h->sum)
        return 0;
    uint64_t want = (uint64_t)(p * h->sum);
    if (want >= h->sum)
        want = h->sum - 1;
    uint64_t a = 0;
    for (int i = 0; i < 64 * HSUB; i++) {
        a += h->count[i];
        if (a > want)
            return hval(i);
    }
    return h->max;
}

static uint64_t nowns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}
static void die(const char *f, ...) {
    va_list a;
    va_start(a, f);
    vfprintf(stderr, f, a);
    va_end(a);
    fputc('\n', stderr);
    exit(2);
}

/* ---- CPU time and memory from /proc ------------------------------------------------- */
typedef struct {
    double cpu, ut, st;
    double rss_kb, pss_kb;
    int nproc, nthr;
    uint64_t vcs, ivcs;
} acct_t;
static int pids[512], npids;
static void collect_pids(const pid_t *root, int nroot) {
    static int ppid_of[65536][2];
    int n = 0;
    DIR *d = opendir("/proc");
    struct dirent *e;
    if (!d)
        return;
    while ((e = readdir(d)) && n < 65536) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        char p[300], b[512];
        snprintf(p, sizeof p, "/proc/%s/stat", e->d_name);
        int fd = open(p, O_RDONLY);
        if (fd < 0)
            continue;
        int k = read(fd, b, 511);
        close(fd);
        if (k <= 0)
            continue;
        b[k] = 0;
        char *q = strrchr(b, ')');
        if (!q)
            continue;
        int pp;
        char st;
        if (sscanf(q + 1, " %c %d", &st, &pp) != 2)
            continue;
        ppid_of[n][0] = atoi(e->d_name);
        ppid_of[n][1] = pp;
        n++;
    }
    closedir(d);
    npids = 0;
    for (int i = 0; i < nroot; i++)
        pids[npids++] = root[i];
    for (int i = 0; i < npids; i++)
        for (int j = 0; j < n && npids < 512; j++)
            if (ppid_of[j][1] == pids[i])
                pids[npids++] = ppid_of[j][0];
}
static void proc_acct(acct_t *a, int mem, const pid_t *root, int nroot) {
    memset(a, 0, sizeof *a);
    if (!nroot)
        return;
    collect_pids(root, nroot);
    double hz = sysconf(_SC_CLK_TCK), pg = sysconf(_SC_PAGESIZE) / 1024.0;
    for (int i = 0; i < npids; i++) {
        char p[128], b[4096];
        snprintf(p, sizeof p, "/proc/%d/task", pids[i]);
        DIR *d = opendir(p);
        if (!d)
            continue;
        a->nproc++;
        struct dirent *e;
        while ((e = readdir(d))) {
            if (!isdigit((unsigned char)e->d_name[0]))
                continue;
            a->nthr++;
            snprintf(p, sizeof p, "/proc/%d/task/%s/schedstat", pids[i], e->d_name);
            int fd = open(p, O_RDONLY);
            if (fd >= 0) {
                int k = read(fd, b, 200);
                close(fd);
                if (k > 0) {
                    b[k] = 0;
                    a->cpu += strtoull(b, 0, 10) / 1e9;
                }
            }
            snprintf(p, sizeof p, "/proc/%d/task/%s/stat", pids[i], e->d_name);
            fd = open(p, O_RDONLY);
            if (fd >= 0) {
                int k = read(fd, b, 1000);
                close(fd);
                if (k > 0) {
                    b[k] = 0;
                    char *q = strrchr(b, ')');
                    unsigned long u, s;
                    if (q && sscanf(q + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                                    &u, &s) == 2) {
                        a->ut += u / hz;
                        a->st += s / hz;
                    }
                }
            }
        }
        closedir(d);
        /* children that have ended; the threads' own time is in the list above */
        snprintf(p, sizeof p, "/proc/%d/stat", pids[i]);
        FILE *st = fopen(p, "r");
        if (st) {
            unsigned long u, s;
            char *q = fgets(b, sizeof b, st) ? strrchr(b, ')') : NULL;
            if (q && sscanf(q + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu",
                            &u, &s) == 2)
                a->cpu += (u + s) / hz;
            fclose(st);
        }
        if (mem) {
            snprintf(p, sizeof p, "/proc/%d/statm", pids[i]);
            FILE *f = fopen(p, "r");
            if (f) {
                long x, y;
                if (fscanf(f, "%ld %ld", &x, &y) == 2)
                    a->rss_kb += y * pg;
                fclose(f);
            }
            snprintf(p, sizeof p, "/proc/%d/smaps_rollup", pids[i]);
            f = fopen(p, "r");
            if (f) {
                while (fgets(b, sizeof b, f))
                    if (!strncmp(b, "Pss:", 4))
                        a->pss_kb += atof(b + 4);
                fclose(f);
            }
        }
    }
}

/* ---- templates, output ------------------------------------------------- */
static uint32_t expand(const char *t, conn_t *c, uint8_t *o, uint32_t cap, uint32_t *moff) {
    uint32_t n = 0;
    for (; *t; t++) {
        if (n + 4096 > cap)
            die("template too long");
        if (*t == '%' && t[1] == 'u') {
            n += sprintf((char *)o + n, "%d", c->id);
            t++;
        } else if (*t == '%' && t[1] == 'r') {
            n += sprintf((char *)o + n, "%d", c->room);
            t++;
        } else if (*t == '%' && t[1] == 'm') {
            if (moff)
                *moff = n;
            memset(o + n, 'x', textlen);
            memcpy(o + n, "##", 2);
            static const char pad[] =
                " the quick brown fox jumps over the lazy dog and then it sends yet another short "
                "line of chat text to all members of the room";
            for (int i = MARKLEN; i < textlen; i++)
                o[n + i] = pad[(i - MARKLEN) % (sizeof pad - 1)];
            n += textlen;
            t++;
        } else if (*t == '\\' && t[1] == 'r') {
            o[n++] = '\r';
            t++;
        } else if (*t == '\\' && t[1] == 'n') {
            o[n++] = '\n';
            t++;
        } else
            o[n++] = *t;
    }
    return n;
}
static void upd_ep(conn_t *c, int wr) {
    struct epoll_event e = {.events = EPOLLIN | (wr ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void kill_conn(conn_t *c, const char *why) {
    if (c->state == -1)
        return;
    if (!quiet)
        fprintf(stderr, "connection %d died in state %d/%d: %s (errno %d)\n", c->id, c->state,
                c->step, why, errno);
    if (c->state < 100)
        connecting--;
    c->state = -1;
    dead++;
    close(c->fd);
    c->fd = -1;
    if (dead > 50)
        die("too many dead connections");
}
static void out_raw(conn_t *c, const uint8_t *p, uint32_t n) {
    if (c->fd < 0)
        return;
    if (c->nout == c->oout) {
        ssize_t k = send(c->fd, p, n, MSG_NOSIGNAL);
        if (k < 0) {
            if (errno != EAGAIN) {
                kill_conn(c, "send");
                return;
            }
            k = 0;
        }
        p += k;
        n -= k;
        if (!n)
            return;
        late_sends++;
        c->nout = c->oout = 0;
    }
    if (c->nout + n > c->cout) {
        c->cout = (c->nout + n) * 2;
        c->out = realloc(c->out, c->cout);
    }
    memcpy(c->out + c->nout, p, n);
    c->nout += n;
    upd_ep(c, 1);
}
static uint32_t rng = 2463534242u;
static inline uint32_t rnd(void) {
    rng ^= rng << 13;
    rng ^= rng >> 17;
    rng ^= rng << 5;
    return rng;
}
static uint32_t ws_frame(uint8_t *o, int op, const uint8_t *p, uint32_t n) {
    uint32_t h;
    o[0] = 0x80 | op;
    if (n < 126) {
        o[1] = 0x80 | n;
        h = 2;
    } else if (n < 65536) {
        o[1] = 0x80 | 126;
        o[2] = n >> 8;
        o[3] = n;
        h = 4;
    } else {
        o[1] = 0x80 | 127;
        memset(o + 2, 0, 4);
        o[6] = n >> 24;
        o[7] = n >> 16;
        o[8] = n >> 8;
        o[9] = n;
        h = 10;
    }
    uint32_t m = rnd();
    memcpy(o + h, &m, 4);
    uint8_t *mk = o + h;
    h += 4;
    for (uint32_t i = 0; i < n; i++)
        o[h + i] = p[i] ^ mk[i & 3];
    return h + n;
}
static void out_msg(conn_t *c, const uint8_t *p, uint32_t n) {
    uint8_t b[16384];
    if (irc) {
        out_raw(c, p, n);
        return;
    }
    if (n > 16000)
        die("message too long");
    n = ws_frame(b, 1, p, n);
    out_raw(c, b, n);
}
static const char HX[] = "0123456789abcdef";
static inline void hex(uint8_t *o, uint64_t v, int n) {
    while (n--) {
        o[n] = HX[v & 15];
        v >>= 4;
    }
}
static inline int unhex(const uint8_t *p, int n, uint64_t *v) {
    uint64_t a = 0;
    while (n--) {
        uint8_t c = *p++;
        int d;
        if (c >= '0' && c <= '9')
            d = c - '0';
        else if (c >= 'a' && c <= 'f')
            d = c - 'a' + 10;
        else
            return 0;
        a = a << 4 | d;
    }
    *v = a;
    return 1;
}

static uint32_t expected_per_msg;
static uint32_t build_send(sender_t *s, uint64_t ts, uint8_t *o) {
    uint8_t *m = s->tmpl + s->moff + 2;
    hex(m, s - SN, 5);
    hex(m + 5, s->seq, 8);
    hex(m + 13, ts, 16);
    s->remain[s->seq % W] = expected_per_msg;
    s->seq++;
    s->outstanding++;
    total_outstanding++;
    msgs_sent++;
    if (phase == 3)
        msgs_sent_meas++;
    if (irc) {
        memcpy(o, s->tmpl, s->ntmpl);
        return s->ntmpl;
    }
    return ws_frame(o, 1, s->tmpl, s->ntmpl);
}
/* Closed loop: fill the sender's window with one write. */
static void pump(sender_t *s) {
    static uint8_t b[1 << 20];
    uint32_t n = 0;
    uint64_t t = nowns();
    while (s->outstanding < (uint32_t)W && n + s->ntmpl + 64 < sizeof b)
        n += build_send(s, t, b + n);
    if (n)
        out_raw(s->c, b, n);
}

/* ---- input -------------------------------------------------------------- */
static void next_step(conn_t *c);
static inline void on_delivery(conn_t *c, const uint8_t *p) {
    uint64_t si, q, ts;
    if (!unhex(p + 2, 5, &si) || !unhex(p + 7, 8, &q) || !unhex(p + 15, 16, &ts)) {
        other++;
        return;
    }
    if (si >= (uint64_t)S) {
        misroute++;
        return;
    }
    sender_t *s = &SN[si];
    if (s->c->room != c->room) {
        misroute++;
        return;
    }
    uint32_t k = si % spr; /* sender index within room */
    if (c->next[k] != (uint32_t)q) {
        if ((uint32_t)q > c->next[k])
            lost += (uint32_t)q - c->next[k];
        else
            reord++;
        c->next[k] = (uint32_t)q;
    }
    c->next[k]++;
    c->ndeliv++;
    deliv_all++;
    if (phase == 3) {
        deliv++;
        uint64_t l = now_ns > ts ? now_ns - ts : 0;
        hadd(&all_hist, l);
        if (s->c->at != c->at)
            hadd(&cross_hist, l);
    }
    uint32_t *r = &s->remain[q % W];
    if (*r && --*r == 0) {
        s->outstanding--;
        total_outstanding--;
        if (!rate && phase < 4 && !s->dirty) {
            s->dirty = 1;
            dirtyq[ndirty++] = (int)si;
        }
    }
}
/* Check that the number behind --order is higher than that of the delivery before. */
static inline void check_order(conn_t *c, const uint8_t *p, uint32_t n) {
    size_t k = strlen(order);
    const uint8_t *f = memmem(p, n, order, k), *e = p + n;
    uint64_t v = 0;
    if (!f) {
        reord++;
        return;
    }
    for (f += k; f < e && isdigit(*f); f++)
        v = v * 10 + (*f - '0');
    if (v <= c->order)
        reord++;
    c->order = v;
}
static inline void on_payload(conn_t *c, uint8_t *p, uint32_t n) {
    if (c->state == 100) {
        uint8_t *e = p + n;
        int any = 0;
        while ((size_t)(e - p) >= MARKLEN) {
            uint8_t *m = memmem(p, e - p, "##", 2);
            if (!m || e - m < MARKLEN)
                break;
            on_delivery(c, m);
            any = 1;
            p = m + MARKLEN;
            if (order)
                check_order(c, p, e - p);
        }
        if (!any)
            other++;
        return;
    }
    if (c->state == 2) {
        if (c->step < nsteps) {
            const char *x = sexp[c->step];
            if (!*x || memmem(p, n, x, strlen(x))) {
                c->step++;
                next_step(c);
            } else if (memmem(p, n, "\"error\"", 7)) {
                if (++refusals > 10 * N)
                    die("refused again and again: %.*s", (int)(n > 300 ? 300 : n), p);
                next_step(c);
            }
        }
    }
}
static void next_step(conn_t *c) {
    uint8_t b[8192];
    for (;;) {
        if (c->step >= nsteps) {
            c->state = 100;
            ready++;
            connecting--;
            uint64_t l = nowns() - c->t_start;
            if (l > login_lat_max)
                login_lat_max = l;
            return;
        }
        if (*ssend[c->step]) {
            uint32_t n = expand(ssend[c->step], c, b, sizeof b, NULL);
            out_msg(c, b, n);
        }
        if (*sexp[c->step])
            return;
        c->step++;
    }
}
static void handshake(conn_t *c) {
    if (irc) {
        c->state = 2;
        c->step = 0;
        next_step(c);
        return;
    }
    char b[1024];
    int n = snprintf(b, sizeof b,
                     "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: "
                     "Upgrade\r\nSec-WebSocket-Key: "
                     "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                     path, hosthdr ? hosthdr : host, ports[c->at]);
    c->state = 1;
    out_raw(c, (uint8_t *)b, n);
}
/* Parse what was received; return how many bytes were complete. */
static uint32_t consume(conn_t *c, uint8_t *p, uint32_t n) {
    uint32_t o = 0;
    if (c->state == 1) {
        uint8_t *e = memmem(p, n, "\r\n\r\n", 4);
        if (!e)
            return 0;
        if (n < 12 || memcmp(p, "HTTP/1.1 101", 12)) {
            fprintf(stderr, "handshake refused: %.*s\n", (int)(n > 200 ? 200 : n), p);
            kill_conn(c, "handshake");
            return n;
        }
        o = e + 4 - p;
        c->state = 2;
        c->step = 0;
        next_step(c);
    }
    if (irc) {
        while (o < n) {
            uint8_t *e = memchr(p + o, '\n', n - o);
            if (!e)
                break;
            uint32_t l = e - (p + o);
            frames_++;
            if (l > 5 && !memcmp(p + o, "PING ", 5)) {
                uint8_t b[600];
                uint32_t k = l > 590 ? 590 : l;
                memcpy(b, p + o, k);
                b[1] = 'O';
                while (k && (b[k - 1] == '\r'))
                    k--;
                b[k++] = '\r';
                b[k++] = '\n';
                out_raw(c, b, k);
            } else if (l > 6 && !memcmp(p + o, "ERROR ", 6)) {
                fprintf(stderr, "connection %d: %.*s\n", c->id, (int)l, p + o);
            } else
                on_payload(c, p + o, l);
            o += l + 1;
            if (c->fd < 0)
                return n;
        }
        return o;
    }
    while (n - o >= 2) {
        uint8_t *f = p + o;
        uint64_t l = f[1] & 127;
        uint32_t h = 2;
        if (l == 126) {
            if (n - o < 4)
                break;
            l = f[2] << 8 | f[3];
            h = 4;
        } else if (l == 127) {
            if (n - o < 10)
                break;
            l = 0;
            for (int i = 2; i < 10; i++)
                l = l << 8 | f[i];
            h = 10;
        }
        if (f[1] & 128) {
            kill_conn(c, "the server sent a masked frame");
            return n;
        }
        if (n - o < h + l)
            break;
        int op = f[0] & 15;
        frames_++;
        if (op == 9) {
            uint8_t b[256];
            uint32_t k = ws_frame(b, 10, f + h, l > 125 ? 125 : l);
            out_raw(c, b, k);
        } else if (op == 8) {
            fprintf(stderr, "close frame, code %d %.*s\n", l >= 2 ? f[h] << 8 | f[h + 1] : 0,
                    (int)(l > 2 ? l - 2 : 0), f + h + 2);
            kill_conn(c, "close frame");
            return n;
        } else if (op <= 2)
            on_payload(c, f + h, l);
        o += h + l;
        if (c->fd < 0)
            return n;
    }
    return o;
}
static void on_read(conn_t *c) {
    uint32_t off = c->nleft;
    if (off)
        memcpy(rb, c->left, off);
    ssize_t k = recv(c->fd, rb + off, RBUF - off, 0);
    if (k < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return;
        kill_conn(c, "recv");
        return;
    }
    if (k == 0) {
        kill_conn(c, "eof");
        return;
    }
    reads_++;
    bytes_ += k;
    now_ns = last_rx = nowns();
    uint32_t n = off + k, o = consume(c, rb, n);
    if (c->fd < 0)
        return;
    c->nleft = n - o;
    if (c->nleft) {
        if (c->nleft > c->cleft) {
            c->cleft = c->nleft + 512;
            free(c->left);
            c->left = malloc(c->cleft);
        }
        memcpy(c->left, rb + o, c->nleft);
    }
}
static void start_conn(conn_t *c) {
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        die("socket: %s", strerror(errno));
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct linger lg = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(ports[c->at])};
    inet_pton(AF_INET, host, &a.sin_addr);
    c->t_start = nowns();
    struct epoll_event e = {.events = EPOLLOUT | EPOLLIN, .data.ptr = c};
    int r = connect(c->fd, (struct sockaddr *)&a, sizeof a);
    if (r < 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    c->state = 0;
    connecting++;
    started++;
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}
static void on_event(conn_t *c, uint32_t ev) {
    if (c->fd < 0)
        return;
    if (c->state == 0) {
        if (ev & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
            int er = 0;
            socklen_t l = sizeof er;
            getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &er, &l);
            if (er) {
                errno = er;
                kill_conn(c, "connect");
                return;
            }
            upd_ep(c, 0);
            handshake(c);
        }
        return;
    }
    if (ev & EPOLLOUT) {
        if (c->nout > c->oout) {
            ssize_t k = send(c->fd, c->out + c->oout, c->nout - c->oout, MSG_NOSIGNAL);
            if (k < 0 && errno != EAGAIN) {
                kill_conn(c, "send");
                return;
            }
            if (k > 0)
                c->oout += k;
        }
        if (c->nout == c->oout) {
            c->nout = c->oout = 0;
            upd_ep(c, 0);
        }
    }
    if (ev & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_read(c);
}
static void flush_dirty(void) {
    for (int i = 0; i < ndirty; i++) {
        sender_t *s = &SN[dirtyq[i]];
        s->dirty = 0;
        pump(s);
    }
    ndirty = 0;
}

static void usage(void) {
    fprintf(stderr,
            "loadgen [options]\n"
            "  --irc                lines over TCP (default: WebSocket)\n"
            "  --host H --path /p --hosthdr H\n"
            "  --port P             of the server; repeatable: the members of a room, and the "
            "senders of the\n"
            "                       rooms, take turns in using them\n"
            "  -n N                 connections\n"
            "  -r R                 connections per room\n"
            "  -s S                 senders in all: a multiple of the number of rooms, or fewer "
            "than rooms\n"
            "  -w W                 messages in flight per sender (closed loop)\n"
            "  --rate M             messages per second in all (open loop, instead of -w)\n"
            "  --step SEND EXPECT   a step of the login (repeatable), done again if the answer "
            "says \"error\";\n"
            "                       %%u user, %%r room, \\r \\n\n"
            "  --msg TEMPLATE       a message; %%m is its text, with the marker\n"
            "  --textlen N          bytes of that text\n"
            "  --noecho             a sender does not receive its own messages (IRC)\n"
            "  --order KEY          the number behind KEY in a delivery rises at each receiver\n"
            "  --pid P              process of the server, for CPU time and memory (with its "
            "children); repeatable\n"
            "  --beside P           another process whose CPU time counts apart (repeatable)\n"
            "  --settle S --idle S  seconds of silence before the load, and more of them\n"
            "  --warm S --dur S     seconds of load before the measurement, and of it\n"
            "  --drain S            seconds to wait for outstanding deliveries, at most\n"
            "  --inflight N         logins at the same time\n"
            "  --nospin             sleep while there is nothing to do\n"
            "  --label L --quiet\n");
    exit(2);
}
/* Return the index of the next element of a list that has room for so many. */
static int one_more(int *count, int most) {
    if (*count == most)
        usage();
    return (*count)++;
}
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        char *a = argv[i];
#define ARG (i + 1 < argc ? argv[++i] : (usage(), (char *)0))
        if (!strcmp(a, "--irc"))
            irc = 1;
        else if (!strcmp(a, "--host"))
            host = ARG;
        else if (!strcmp(a, "--port"))
            ports[one_more(&nports, MAXPORTS)] = atoi(ARG);
        else if (!strcmp(a, "--path"))
            path = ARG;
        else if (!strcmp(a, "-n"))
            N = atoi(ARG);
        else if (!strcmp(a, "-r"))
            R = atoi(ARG);
        else if (!strcmp(a, "-s"))
            S = atoi(ARG);
        else if (!strcmp(a, "-w"))
            W = atoi(ARG);
        else if (!strcmp(a, "--rate"))
            rate = atof(ARG);
        else if (!strcmp(a, "--step")) {
            ssend[nsteps] = ARG;
            sexp[nsteps++] = ARG;
        } else if (!strcmp(a, "--msg"))
            msgt = ARG;
        else if (!strcmp(a, "--noecho"))
            echo_ = 0;
        else if (!strcmp(a, "--pid"))
            pid[one_more(&npid, MAXPORTS)] = atoi(ARG);
        else if (!strcmp(a, "--beside"))
            beside[one_more(&nbeside, MAXBESIDE)] = atoi(ARG);
        else if (!strcmp(a, "--order"))
            order = ARG;
        else if (!strcmp(a, "--warm"))
            warm = atof(ARG);
        else if (!strcmp(a, "--dur"))
            dur = atof(ARG);
        else if (!strcmp(a, "--settle"))
            settle = atof(ARG);
        else if (!strcmp(a, "--drain"))
            drain = atof(ARG);
        else if (!strcmp(a, "--idle"))
            idle_s = atof(ARG);
        else if (!strcmp(a, "--inflight"))
            inflight_max = atoi(ARG);
        else if (!strcmp(a, "--nospin"))
            spin = 0;
        else if (!strcmp(a, "--label"))
            label = ARG;
        else if (!strcmp(a, "--quiet"))
            quiet = 1;
        else if (!strcmp(a, "--textlen"))
            textlen = atoi(ARG);
        else if (!strcmp(a, "--hosthdr"))
            hosthdr = ARG;
        else
            usage();
    }
    if (!nports)
        nports = 1;
    prctl(PR_SET_TIMERSLACK, 1000);
    (void)nexp;
    (void)subproto;
    if (!nsteps) {
        if (irc) {
            ssend[0] = "NICK u%u\\r\\nUSER u%u 0 * :u%u\\r\\n";
            sexp[0] = " 376 ";
            ssend[1] = "JOIN #r%r\\r\\n";
            sexp[1] = " 366 ";
            nsteps = 2;
        } else {
            ssend[0] = "{\"op\":\"login\",\"user\":\"u%u\"}";
            sexp[0] = "\"ok\"";
            ssend[1] = "{\"op\":\"join\",\"room\":\"r%r\"}";
            sexp[1] = "\"joined\"";
            nsteps = 2;
        }
    }
    if (irc && msgt[0] == '{')
        msgt = "PRIVMSG #r%r :%m\\r\\n";
    if (textlen < MARKLEN)
        textlen = MARKLEN;
    struct rlimit rl = {65536, 65536};
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    nrooms = (N + R - 1) / R;
    spr = S <= nrooms ? 1 : S / nrooms;
    if (S > nrooms && S % nrooms)
        die("-s must be a multiple of the number of rooms");
    if (spr > R)
        die("too many senders per room");
    if (rate && W < 4096)
        W = 4096;
    expected_per_msg = echo_ ? R : R - 1;
    ep = epoll_create1(0);
    rb = malloc(RBUF);
    C = calloc(N, sizeof *C);
    SN = calloc(S, sizeof *SN);
    dirtyq = malloc(sizeof(int) * S);
    for (int i = 0; i < N; i++) {
        C[i].id = i;
        C[i].room = i / R;
        C[i].midx = i % R;
        C[i].at = (C[i].room + C[i].midx) % nports;
        C[i].sidx = -1;
        C[i].fd = -1;
        C[i].next = calloc(spr, 4);
    }
    for (int s = 0; s < S; s++) {
        int room = s / spr, k = s % spr;
        conn_t *c = &C[room * R + k];
        if (room * R + k >= N)
            die("-s is more than there are connections");
        SN[s].c = c;
        c->sidx = s;
        SN[s].remain = calloc(W, 4);
        uint8_t b[16384];
        SN[s].ntmpl = expand(msgt, c, b, sizeof b, &SN[s].moff);
        SN[s].tmpl = malloc(SN[s].ntmpl);
        memcpy(SN[s].tmpl, b, SN[s].ntmpl);
    }
    acct_t A0, A1, A2, A3, B2[MAXBESIDE], B3[MAXBESIDE];
    proc_acct(&A0, 1, pid, npid);
    struct epoll_event *ev = malloc(sizeof *ev * 4096);
    uint64_t t0 = nowns(), tphase = 0, tready = 0, tm0 = 0, tm1 = 0, nextsend = 0;
    uint64_t sendno = 0;
    double interval = rate ? 1e9 / rate : 0;
    double sched = 0;
    uint64_t sched0 = 0;
    uint64_t idle_ns = 0;
    uint64_t meas_idle = 0;
    uint64_t reads0 = 0, frames0 = 0, bytes0 = 0;
    memset(&A1, 0, sizeof A1);
    memset(&A2, 0, sizeof A2);
    memset(&A3, 0, sizeof A3);
    struct rusage ru0, ru1;
    memset(&ru0, 0, sizeof ru0);
    memset(&ru1, 0, sizeof ru1);
    last_rx = t0;
    uint64_t dead_line = 0;
    (void)nextsend;
    for (;;) {
        uint64_t t = nowns();
        if (phase == 0) {
            while (started < N && connecting < inflight_max)
                start_conn(&C[started]);
            if (ready + dead == N) {
                tready = t;
                phase = 1;
                tphase = t;
            }
            if (t - t0 > 120e9)
                die("login timed out: %d ready, %d dead, %d started", ready, dead, started);
        } else if (phase == 1) {
            if (t - tphase > (settle + idle_s) * 1e9 && t - last_rx > settle * 1e9) {
                proc_acct(&A1, 1, pid, npid);
                phase = 2;
                tphase = nowns();
                t = tphase;
                deliv_all = 0;
                other = 0;
                sched0 = t;
                sched = 0;
                if (!rate)
                    for (int s = 0; s < S; s++)
                        pump(&SN[s]);
            }
        } else if (phase == 2) {
            if (t - tphase > warm * 1e9) {
                proc_acct(&A2, 0, pid, npid);
                for (int i = 0; i < nbeside; i++)
                    proc_acct(&B2[i], 0, &beside[i], 1);
                phase = 3;
                getrusage(RUSAGE_SELF, &ru0);
                tm0 = tphase = nowns();
                idle_ns = 0;
                reads0 = reads_;
                frames0 = frames_;
                bytes0 = bytes_;
            }
        } else if (phase == 3) {
            if (t - tphase > dur * 1e9) {
                tm1 = nowns();
                proc_acct(&A3, 1, pid, npid);
                for (int i = 0; i < nbeside; i++)
                    proc_acct(&B3[i], 0, &beside[i], 1);
                getrusage(RUSAGE_SELF, &ru1);
                meas_idle = idle_ns;
                reads0 = reads_ - reads0;
                frames0 = frames_ - frames0;
                bytes0 = bytes_ - bytes0;
                phase = 4;
                tphase = t;
                dead_line = nowns() + (uint64_t)(drain * 1e9);
            }
        } else if (phase == 4) {
            if (total_outstanding == 0 || t > dead_line)
                break;
        }
        if (rate && (phase == 2 || phase == 3)) {
            static uint8_t b[65536];
            int due = 0;
            while ((double)(t - sched0) >= sched && due < 512) {
                sender_t *s = &SN[sendno++ % S];
                if (s->outstanding >= (uint32_t)W) {
                    late_sends++;
                    sched += interval;
                    continue;
                }
                uint32_t n = build_send(s, sched0 + (uint64_t)sched, b);
                out_raw(s->c, b, n);
                sched += interval;
                due++;
            }
        }
        int to = phase < 2 ? 5 : spin || rate ? 0 : 1;
        if (!spin && rate && (phase == 2 || phase == 3)) {
            int64_t wait = (int64_t)(sched0 + (uint64_t)sched) - (int64_t)nowns();
            struct pollfd fd = {.fd = ep, .events = POLLIN};
            struct timespec ts = {.tv_nsec = wait < 0 ? 0 : wait > 5000000 ? 5000000 : wait};
            ppoll(&fd, 1, &ts, NULL);
        } else if (!spin && phase >= 2)
            to = 1;
        int k = epoll_wait(ep, ev, 4096, to);
        if (k <= 0) {
            idle_ns += nowns() - t;
            continue;
        }
        for (int i = 0; i < k; i++)
            on_event(ev[i].data.ptr, ev[i].events);
        flush_dirty();
    }
    double secs = (tm1 - tm0) / 1e9, cpu = A3.cpu - A2.cpu,
           cput = (A3.ut - A2.ut) + (A3.st - A2.st);
    double lgcpu = (ru1.ru_utime.tv_sec - ru0.ru_utime.tv_sec) +
                   (ru1.ru_utime.tv_usec - ru0.ru_utime.tv_usec) / 1e6 +
                   (ru1.ru_stime.tv_sec - ru0.ru_stime.tv_sec) +
                   (ru1.ru_stime.tv_usec - ru0.ru_stime.tv_usec) / 1e6;
    uint64_t missing = 0;
    for (int s = 0; s < S; s++)
        for (uint32_t q = 0; q < (uint32_t)W; q++)
            missing += SN[s].remain[q];
    double d = deliv ? deliv : 1;
    printf(
        "{\"label\":\"%s\",\"n\":%d,\"r\":%d,\"s\":%d,\"w\":%d,\"rate\":%.0f,\"deliv_s\":%.0f,"
        "\"msgs_s\":%.1f,\"cpu_us\":%.3f,\"cpu_us_ticks\":%.3f,\"user_us\":%.3f,\"sys_us\":%.3f,"
        "\"cpu_pct\":%.0f,"
        "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,"
        "\"cross_p50_us\":%.1f,\"cross_p99_us\":%.1f,\"lost\":%lu,\"reord\":%"
        "lu,\"misrouted\":%lu,\"undelivered\":%lu,\"dead\":%d,\"other\":%lu,\"refusals\":%d,"
        "\"login_s\":%.0f,\"login_max_ms\":%.1f,\"login_cpu_us\":%.1f,\"kib_conn\":%.2f,\"pss_kib_"
        "conn\":%.2f,\"rss0_mb\":%.1f,\"rss1_mb\":%.1f,\"rss2_mb\":%.1f,\"procs\":%d,\"thr\":%d,"
        "\"lg_idle_pct\":%.0f,\"lg_cpu_pct\":%.0f,\"deliv_per_read\":%.2f,\"bytes_per_deliv\":%.1f,"
        "\"late\":%lu",
        label, N, R, S, W, rate, deliv / secs, msgs_sent_meas / secs, cpu * 1e6 / d, cput * 1e6 / d,
        (A3.ut - A2.ut) * 1e6 / d, (A3.st - A2.st) * 1e6 / d, 100 * cpu / secs, pct(&all_hist, .5) / 1e3,
        pct(&all_hist, .99) / 1e3, pct(&all_hist, .999) / 1e3, all_hist.max / 1e3,
        pct(&cross_hist, .5) / 1e3, pct(&cross_hist, .99) / 1e3, lost, reord, misroute, missing, dead, other, refusals,
        N / ((tready - t0) / 1e9), login_lat_max / 1e6, (A1.cpu - A0.cpu) * 1e6 / N,
        (A1.rss_kb - A0.rss_kb) / N, (A1.pss_kb - A0.pss_kb) / N, A0.rss_kb / 1024,
        A1.rss_kb / 1024, A3.rss_kb / 1024, A3.nproc, A3.nthr, 100.0 * meas_idle / 1e9 / secs,
        100 * lgcpu / secs, deliv / (double)(reads0 ? reads0 : 1), bytes0 / d, late_sends);
    for (int i = 0; i < nbeside; i++)
        printf(",\"beside%d_us\":%.3f", i + 1, (B3[i].cpu - B2[i].cpu) * 1e6 / d);
    printf("}\n");
    return (lost || reord || misroute || missing || dead) ? 1 : 0;
}
