#!/usr/bin/env python3
"""Drives a server binary through redis-py (Debian: python3-redis), as an application would.

usage: redis_client.py path/to/weft_kv
"""
import re
import subprocess
import sys
import unittest

import redis

BINARY = ""


class PythonClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.process = subprocess.Popen([BINARY, "--port", "0", "--shards", "3"], stdout=subprocess.PIPE, text=True)
        cls.port = int(re.search(r":(\d+)$", cls.process.stdout.readline()).group(1))
        cls.redis = redis.Redis(port=cls.port, client_name="tester", decode_responses=True)

    @classmethod
    def tearDownClass(cls):
        cls.redis.close()
        cls.process.terminate()
        code = cls.process.wait(20)
        cls.process.stdout.close()
        assert code == 0, "exit code %d" % code

    def setUp(self):
        self.redis.flushall()

    def test_strings(self):
        self.assertTrue(self.redis.set("k", "v"))
        self.assertIsNone(self.redis.set("k", "w", nx=True))
        self.assertTrue(self.redis.set("k", "w", xx=True, ex=100))
        self.assertTrue(90 < self.redis.ttl("k") <= 100)
        self.assertEqual(self.redis.getset("k", "x"), "w")
        self.assertEqual(self.redis.append("k", "yz"), 3)
        self.assertEqual(self.redis.strlen("k"), 3)
        self.assertEqual(self.redis.incrby("n", 5), 5)
        self.assertEqual(self.redis.decrby("n", 7), -2)
        with self.assertRaisesRegex(redis.ResponseError, "value is not an integer or out of range"):
            self.redis.incr("k")

    def test_lists_hashes_and_many_keys(self):
        self.assertEqual(self.redis.rpush("l", "a", "b", "c"), 3)
        self.assertEqual(self.redis.lrange("l", 0, -1), ["a", "b", "c"])
        self.assertEqual(self.redis.hset("h", mapping={"f": "1", "g": "2"}), 2)
        self.assertEqual(self.redis.hgetall("h"), {"f": "1", "g": "2"})
        self.assertEqual(self.redis.hdel("h", "f", "nothing"), 1)
        self.assertTrue(self.redis.mset({"a": "1", "b": "2"}))
        self.assertEqual(self.redis.mget("a", "b", "none"), ["1", "2", None])
        self.assertEqual(sorted(self.redis.keys("*")), ["a", "b", "h", "l"])
        self.assertEqual(self.redis.dbsize(), 4)
        self.assertEqual(self.redis.delete("a", "b", "none"), 2)
        with self.assertRaisesRegex(redis.ResponseError, "WRONGTYPE"):
            self.redis.get("l")

    def test_expiry(self):
        self.redis.set("k", "v")
        self.assertTrue(self.redis.pexpire("k", 100000))
        self.assertTrue(0 < self.redis.pttl("k") <= 100000)
        self.assertTrue(self.redis.persist("k"))
        self.assertEqual(self.redis.ttl("k"), -1)

    def test_a_pipeline(self):
        with self.redis.pipeline(transaction=False) as pipeline:
            for i in range(1000):
                pipeline.set("k%d" % i, i)
                pipeline.get("k%d" % i)
            self.assertEqual(pipeline.execute(), [x for i in range(1000) for x in (True, str(i))])

    def test_the_connection(self):
        self.assertTrue(self.redis.ping())
        self.assertEqual(self.redis.echo("x"), "x")
        self.assertEqual(self.redis.client_getname(), "tester")
        self.assertEqual(redis.Redis(port=self.port, db=0).ping(), True)
        with self.assertRaises(redis.ResponseError):
            redis.Redis(port=self.port, db=1).ping()
        self.assertEqual(self.redis.config_get("maxclients"), {"maxclients": "10000"})
        self.assertIn("processes", self.redis.info("weft"))

    def test_publish_and_subscribe(self):
        with self.redis.pubsub() as listening:
            listening.subscribe("news", "sports")
            self.assertEqual([listening.get_message(timeout=20)["data"] for _ in range(2)], [1, 2])
            self.assertEqual(self.redis.publish("news", "hello"), 1)
            self.assertEqual(listening.get_message(timeout=20),
                             {"type": "message", "pattern": None, "channel": "news", "data": "hello"})
            listening.ping("still there")
            self.assertEqual(listening.get_message(timeout=20)["data"], "still there")
            listening.unsubscribe("news")
            self.assertEqual(listening.get_message(timeout=20)["type"], "unsubscribe")
            self.assertEqual(self.redis.publish("news", "to nobody"), 0)
            self.assertEqual(self.redis.publish("sports", "1:0"), 1)
            self.assertEqual(listening.get_message(timeout=20)["data"], "1:0")

    def test_a_crashed_shard_is_an_error_or_empty_and_then_serves(self):
        for index in range(3):
            self.assertEqual(self.redis.execute_command("DEBUG", "CRASH-SHARD", index), "OK")
        self.assertEqual(self.redis.dbsize(), 0)
        self.assertTrue(self.redis.set("k", "v"))
        self.assertEqual(self.redis.get("k"), "v")


if __name__ == "__main__":
    BINARY = sys.argv.pop(1)
    unittest.main(verbosity=2)
