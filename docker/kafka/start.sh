#!/bin/bash
# Formats Kafka's storage once, with the administrator's SCRAM user in it, and starts Kafka. The image's own entry point
# cannot add a SCRAM user, and without one nobody could sign in.
set -euo pipefail
umask 077

kafka="${KAFKA_HOME:-/opt/kafka}/bin"
here="$(dirname "$0")"
work="$(mktemp -d)"

sed -e "s|@NODE@|$NODE|g" \
    -e "s|@KAFKA_ADMIN_PASSWORD@|$KAFKA_ADMIN_PASSWORD|" \
    -e "s|@KAFKA_CONTROLLER_PASSWORD@|$KAFKA_CONTROLLER_PASSWORD|g" "$here/server.properties" > "$work/server.properties"

# A file of arguments, since everybody may read a command line.
printf '%s\n' format --ignore-formatted --cluster-id "$CLUSTER_ID" --config "$work/server.properties" \
    --add-scram "SCRAM-SHA-512=[name=admin,password=$KAFKA_ADMIN_PASSWORD]" > "$work/format"
"$kafka/kafka-storage.sh" "@$work/format" > /dev/null
rm "$work/format"

exec "$kafka/kafka-server-start.sh" "$work/server.properties"
