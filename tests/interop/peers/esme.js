// node-smpp as a customer: binds to PORT on loopback, sends messages, answers their receipts.
// node esme.js PORT SYSTEM_ID PASSWORD MESSAGES RECEIPTS. Each message is an object of submit_sm's
// parameters; every PDU it gets is a line of JSON on stdout. It unbinds after so many RECEIPTS.
'use strict';
const smpp = require('smpp');

const [port, system_id, password, messages, receipts] = process.argv.slice(2);
const wanted = JSON.parse(messages);
const session = smpp.connect({ host: '127.0.0.1', port: Number(port) });
let waiting = Number(receipts);

const say = (event, pdu) => {
  const fields = { ...pdu };
  if (fields.short_message) fields.short_message = fields.short_message.message;
  if (Buffer.isBuffer(fields.message_payload)) {
    fields.message_payload = fields.message_payload.toString();
  } else if (fields.message_payload) {
    fields.message_payload = fields.message_payload.message;
  }
  console.log(JSON.stringify({ event, ...fields }));
};
const leave = () => session.unbind({}, (answer) => {
  say('unbind_resp', answer);
  session.close();
});

session.on('error', (error) => console.log(JSON.stringify({ event: 'error', error: `${error}` })));
session.on('pdu', (pdu) => {
  if (pdu.isResponse()) return;
  say(pdu.command, pdu);
  session.send(pdu.response());
  if ((pdu.command === 'deliver_sm' || pdu.command === 'data_sm') && --waiting === 0) leave();
});
session.on('connect', () => session.bind_transceiver({ system_id, password }, (bound) => {
  say('bind_transceiver_resp', bound);
  if (bound.command_status) return session.close();
  session.enquire_link({}, (answer) => say('enquire_link_resp', answer));
  for (const each of wanted) {
    if (each.udh) each.short_message = { udh: Buffer.from(each.udh, 'hex'), message: each.text };
    else each.short_message = each.text;
    session.submit_sm(each, (answer) => say('submit_sm_resp', answer));
  }
}));
