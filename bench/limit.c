/* limit.c - the least that a chat server must do: one epoll loop, WebSocket, rooms.
 *
 * Usage: limit PORT MODE   MODE 0: one send() per message and member
 *                          MODE 1: one send() per loop turn and member, with all its messages
 *
 * Parses no more than it needs: kind, room and text of a request. Adds id and time, and encodes a
 * message once for all members. Has no accounts, limits, checks or store. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
typedef struct room room_t;
typedef struct conn {
    int fd, ws;
    room_t *room;
    char user[24];
    uint8_t *in;
    int nin, cin;
    uint8_t *out;
    int nout, oout, cout;
    int wr;
} conn_t;
struct room {
    conn_t **m;
    int n, c;
    uint8_t *buf;
    int nb, cb;
    int dirty;
};
static room_t rooms[20000];
static int dirty[20000], nd;
static int ep, mode;
static uint64_t mid;
static uint8_t rb[1 << 18];
static void want(conn_t *c, int w) {
    if (c->wr == w)
        return;
    c->wr = w;
    struct epoll_event e = {.events = EPOLLIN | (w ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void put(conn_t *c, const uint8_t *p, int n) {
    if (c->fd < 0)
        return;
    if (c->nout == c->oout) {
        ssize_t k = send(c->fd, p, n, MSG_NOSIGNAL);
        if (k < 0) {
            if (errno != EAGAIN)
                return;
            k = 0;
        }
        p += k;
        n -= k;
        if (!n)
            return;
        c->nout = c->oout = 0;
    }
    if (c->nout + n > c->cout) {
        c->cout = (c->nout + n) * 2;
        c->out = realloc(c->out, c->cout);
    }
    memcpy(c->out + c->nout, p, n);
    c->nout += n;
    want(c, 1);
}
static int frame(uint8_t *o, const char *p, int n) {
    int h = 2;
    o[0] = 0x81;
    if (n < 126)
        o[1] = n;
    else {
        o[1] = 126;
        o[2] = n >> 8;
        o[3] = n;
        h = 4;
    }
    memcpy(o + h, p, n);
    return h + n;
}
static void puts_ws(conn_t *c, const char *s) {
    uint8_t b[512];
    put(c, b, frame(b, s, strlen(s)));
}
static void msg(conn_t *c, char *p, int n) {
    p[n] = 0;
    if (n > 10 && !memcmp(p, "{\"op\":\"msg\"", 11)) {
        char *r = strstr(p, "\"room\":\"r"), *t = strstr(p, "\"text\":\"");
        if (!r || !t)
            return;
        int ri = atoi(r + 9);
        t += 8;
        char *te = t;
        while (*te && *te != '"') {
            if (*te == '\\')
                te++;
            te++;
        }
        *te = 0;
        room_t *rm = &rooms[ri];
        char b[8192];
        struct timespec ts;
        clock_gettime(CLOCK_REALTIME, &ts);
        int k = snprintf(b, sizeof b,
                         "{\"op\":\"msg\",\"id\":%lu,\"room\":\"r%d\",\"from\":\"%s\",\"ts\":%ld.%"
                         "06ld,\"text\":\"%s\"}",
                         ++mid, ri, c->user, ts.tv_sec, ts.tv_nsec / 1000, t);
        uint8_t f[8300];
        int fl = frame(f, b, k);
        if (mode == 0) {
            for (int i = 0; i < rm->n; i++)
                put(rm->m[i], f, fl);
        } else {
            if (rm->nb + fl > rm->cb) {
                rm->cb = (rm->nb + fl) * 2;
                rm->buf = realloc(rm->buf, rm->cb);
            }
            memcpy(rm->buf + rm->nb, f, fl);
            rm->nb += fl;
            if (!rm->dirty) {
                rm->dirty = 1;
                dirty[nd++] = rm - rooms;
            }
        }
    } else if (strstr(p, "\"login\"")) {
        char *u = strstr(p, "\"user\":\"");
        if (u) {
            u += 8;
            int i = 0;
            while (u[i] != '"' && i < 23) {
                c->user[i] = u[i];
                i++;
            }
            c->user[i] = 0;
        }
        puts_ws(c, "{\"op\":\"ok\"}");
    } else if (strstr(p, "\"join\"")) {
        char *r = strstr(p, "\"room\":\"r");
        if (!r)
            return;
        room_t *rm = &rooms[atoi(r + 9)];
        if (rm->n == rm->c) {
            rm->c = rm->c * 2 + 8;
            rm->m = realloc(rm->m, rm->c * sizeof *rm->m);
        }
        rm->m[rm->n++] = c;
        c->room = rm;
        puts_ws(c, "{\"op\":\"joined\"}");
    }
}
static int parse(conn_t *c, uint8_t *p, int n) {
    int o = 0;
    if (!c->ws) {
        uint8_t *e = memmem(p, n, "\r\n\r\n", 4);
        if (!e)
            return 0;
        o = e + 4 - p;
        c->ws = 1;
        static const char R[] =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
            "Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        put(c, (uint8_t *)R, sizeof R - 1);
    }
    while (n - o >= 6) {
        uint8_t *f = p + o;
        int l = f[1] & 127, h = 6;
        if (l == 126) {
            if (n - o < 8)
                break;
            l = f[2] << 8 | f[3];
            h = 8;
        }
        if (n - o < h + l)
            break;
        uint8_t *k = f + h - 4, *d = f + h;
        char b[8192];
        if (l > 8000)
            exit(3);
        for (int i = 0; i < l; i++)
            b[i] = d[i] ^ k[i & 3];
        if ((f[0] & 15) == 1)
            msg(c, b, l);
        o += h + l;
    }
    return o;
}
static void drop(conn_t *c) {
    if (c->room) {
        room_t *r = c->room;
        for (int i = 0; i < r->n; i++)
            if (r->m[i] == c) {
                r->m[i] = r->m[--r->n];
                break;
            }
    }
    close(c->fd);
    c->fd = -1;
}
int main(int argc, char **argv) {
    int port = atoi(argv[1]);
    mode = atoi(argv[2]);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(ls, (void *)&a, sizeof a)) {
        perror("bind");
        return 1;
    }
    listen(ls, 4096);
    ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, ev[1024];
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
    for (;;) {
        int k = epoll_wait(ep, ev, 1024, -1);
        for (int i = 0; i < k; i++) {
            conn_t *c = ev[i].data.ptr;
            if (!c) {
                int fd;
                while ((fd = accept4(ls, 0, 0, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    c = calloc(1, sizeof *c);
                    c->fd = fd;
                    e.events = EPOLLIN;
                    e.data.ptr = c;
                    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
                }
                continue;
            }
            if (c->fd < 0)
                continue;
            if (ev[i].events & EPOLLOUT) {
                ssize_t w = send(c->fd, c->out + c->oout, c->nout - c->oout, MSG_NOSIGNAL);
                if (w > 0)
                    c->oout += w;
                if (c->oout == c->nout) {
                    c->nout = c->oout = 0;
                    want(c, 0);
                }
            }
            if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                int off = c->nin;
                if (off)
                    memcpy(rb, c->in, off);
                ssize_t n = recv(c->fd, rb + off, sizeof rb - off, 0);
                if (n == 0 || (n < 0 && errno != EAGAIN)) {
                    drop(c);
                    continue;
                }
                if (n < 0)
                    continue;
                n += off;
                int o = parse(c, rb, n);
                c->nin = n - o;
                if (c->nin) {
                    if (c->nin > c->cin) {
                        c->cin = c->nin + 256;
                        c->in = realloc(c->in, c->cin);
                    }
                    memcpy(c->in, rb + o, c->nin);
                }
            }
        }
        for (int i = 0; i < nd; i++) {
            room_t *r = &rooms[dirty[i]];
            r->dirty = 0;
            for (int j = 0; j < r->n; j++)
                put(r->m[j], r->buf, r->nb);
            r->nb = 0;
        }
        nd = 0;
    }
}
