#!/bin/sh
# Makes the secrets that compose.yaml mounts: the master key, and the password of the ClickHouse user with the settings of that user.
# What is there already is kept. The master key is irreplaceable: keep a copy elsewhere.
set -eu
cd -- "$(dirname -- "$0")"
umask 077
mkdir -p secrets
random() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

[ -s secrets/master-key ] || random 32 >secrets/master-key
if [ ! -s secrets/clickhouse-password ] || [ ! -s secrets/clickhouse-user.xml ]; then
	random 24 >secrets/clickhouse-password
	digest=$(sha256sum <secrets/clickhouse-password | cut -d ' ' -f 1)
	cat >secrets/clickhouse-user.xml <<XML
<clickhouse>
  <users>
    <default remove="remove"/>
    <dossier>
      <password_sha256_hex>$digest</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
    </dossier>
  </users>
</clickhouse>
XML
fi
# Containers read them as other users: the folder keeps everybody else out, as far as this machine goes.
chmod 0700 secrets
chmod 0444 secrets/*
