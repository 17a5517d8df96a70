// Reads a topic from its beginning to its end as it is now, in a consumer group, and prints each value in base64: node consume.mjs BROKER TOPIC
import kafkajs from 'kafkajs'

const [broker, topic] = process.argv.slice(2)
const kafka = new kafkajs.Kafka({ brokers: [broker], logLevel: kafkajs.logLevel.ERROR })
const admin = kafka.admin()
await admin.connect()
const left = new Map((await admin.fetchTopicOffsets(topic)).filter((p) => p.high !== p.low).map((p) => [p.partition, BigInt(p.high)]))
await admin.disconnect()

const consumer = kafka.consumer({ groupId: `reader-${process.pid}`, sessionTimeout: 10000, rebalanceTimeout: 2000 })
await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
const done = new Promise((resolve) => {
  if (left.size === 0) resolve()
  consumer.run({
    eachMessage: async ({ partition, message }) => {
      console.log(message.value.toString('base64'))
      if (BigInt(message.offset) + 1n >= left.get(partition)) left.delete(partition)
      if (left.size === 0) resolve()
    },
  })
})
await done
await consumer.disconnect()
