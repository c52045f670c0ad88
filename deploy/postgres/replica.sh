#!/bin/sh
# Makes this server a streaming replica of `postgres` on its first start; afterwards it only starts.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  install -d -o postgres -g postgres -m 0700 "$PGDATA"
  # --write-recovery-conf leaves standby.signal and the connection; the slot keeps the WAL that this replica still needs.
  PGPASSWORD="$REPLICATION_PASSWORD" gosu postgres pg_basebackup --host=postgres --username=replicator \
    --pgdata="$PGDATA" --wal-method=stream --slot=exergy_replica --write-recovery-conf --checkpoint=fast
fi
exec docker-entrypoint.sh postgres -c hot_standby_feedback=on
