# What the sample application needs: Node, busybox for health checks, and psql alone (its package brings Perl).
ARG BASE
FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends busybox libpq5 libreadline8 nodejs \
 && cd /tmp \
 && apt-get download postgresql-client-15 \
 && dpkg-deb --extract postgresql-client-15_*.deb client \
 && mv client/usr/lib/postgresql/15/bin/psql /usr/local/bin/psql \
 && rm -rf client postgresql-client-15_*.deb /var/lib/apt/lists/* /var/cache/apt/archives/*.deb \
 && ln -s /bin/busybox /usr/local/bin/wget \
# A named volume takes the owner of the directory it is first mounted on.
 && install -d -o 1000 -g 1000 /var/lib/palmistry/uploads
