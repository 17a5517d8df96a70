"""Keeps a table of personas and the profile that each belongs to, from the change feed of Dossier.

    python3 profile_changes.py --brokers HOST:PORT --url http://HOST:PORT --token TOKEN --table people.json [--until-end]

A CRM that stores profile ids uses such a table to follow merges and splits: every persona id, and so every profile id ever handed out, is a
key of it. Prints a line for each id whose profile changed: ID FROM -> TO. deploy/profiles.md describes the topic.

Needs kafka-python (Apache-2.0). The table and the offset are written together, so a crash repeats changes and loses none: they are
idempotent.
"""

import argparse
import json
import os
import urllib.request

from kafka import KafkaConsumer, TopicPartition


def read_profiles(url, token):
    """Gives persona -> profile for everybody, from the export of profiles."""
    request = urllib.request.Request(url + "/v1/export/profiles", headers={"Authorization": "Bearer " + token})
    table = {}
    with urllib.request.urlopen(request) as lines:
        for line in lines:
            profile = json.loads(line)
            for persona in profile["personas"]:
                table[persona["id"]] = profile["id"]
    return table


def save(path, state):
    """Replaces the file whole."""
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(state, f)
        f.flush()
        os.fsync(f.fileno())
    os.replace(path + ".new", path)


def move(table, persona, profile):
    before = table.get(persona)
    if before != profile:
        table[persona] = profile
        print(persona, before or "-", "->", profile, flush=True)


def follow(args):
    topic = TopicPartition(args.topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=args.brokers.split(","), enable_auto_commit=False, consumer_timeout_ms=1000)
    consumer.assign([topic])
    try:
        with open(args.table, encoding="utf-8") as f:
            state = json.load(f)
    except FileNotFoundError:
        state = {"offset": -1, "profiles": {}}
    if state["offset"] < consumer.beginning_offsets([topic])[topic]:
        # Nothing is known yet, or the log has dropped what comes next: read everybody. The end of the topic first, then the export: what
        # changes in between comes again, and changes nothing.
        state["offset"] = consumer.end_offsets([topic])[topic]
        state["profiles"] |= read_profiles(args.url, args.token)
        save(args.table, state)
    consumer.seek(topic, state["offset"])
    while True:
        end = consumer.end_offsets([topic])[topic]
        for record in consumer:
            change = json.loads(record.value)
            if change["kind"] == "rebuilt":  # who is who was computed anew: read all of it again
                for persona, profile in read_profiles(args.url, args.token).items():
                    move(state["profiles"], persona, profile)
            else:
                for persona in change["personas"]:
                    move(state["profiles"], persona, change["to"])
            state["offset"] = record.offset + 1
            if state["offset"] >= end:
                break
        save(args.table, state)
        if args.until_end and state["offset"] >= end:
            return


def main():
    parser = argparse.ArgumentParser(description="Follow who is who by the topic profiles.")
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True, help="a token with the scopes that an export needs")
    parser.add_argument("--table", required=True, help="the file that holds the table and the offset")
    parser.add_argument("--topic", default="profiles")
    parser.add_argument("--until-end", action="store_true", help="stop at the end of the topic")
    follow(parser.parse_args())


if __name__ == "__main__":
    main()
