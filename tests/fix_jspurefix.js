// An exchange on the jspurefix engine, by the rules of tests/fix_exchange.py and with the same book file.
// node tests/fix_jspurefix.js PORT FOLDER; NODE_PATH names the folder with the package.
'use strict'
require('reflect-metadata')
const fs = require('fs')
const path = require('path')
const { SessionLauncher, AsciiSession, JsFixWinstonLogFactory, WinstonLogger } = require('jspurefix')

const [port, folder] = [Number(process.argv[2]), process.argv[3]]
const TICK = 0.25
fs.mkdirSync(folder, { recursive: true })
const bookPath = path.join(folder, 'book.jsonl')
const orders = new Map()
let fills = 0

function apply (act) {
  const held = orders.get(act.name)
  if (act.act === 'order') {
    if (!held) orders.set(act.name, { ...act, cum: 0, notional: 0, status: '0' })
  } else if (act.act === 'fill') {
    held.cum += act.lots
    held.notional += act.lots * act.ticks
    if (held.status === '0' || held.status === '1') held.status = held.cum >= held.lots ? '2' : '1'
    fills++
  } else held.status = act.status
}

function write (act) {
  fs.appendFileSync(bookPath, JSON.stringify(act) + '\n')
  apply(act)
}

if (fs.existsSync(bookPath)) fs.readFileSync(bookPath, 'utf8').split('\n').filter(Boolean).forEach(l => apply(JSON.parse(l)))

const working = o => o.status === '0' || o.status === '1'

function report (name, execType, execId, more = {}) {
  const o = orders.get(name)
  return {
    OrderID: `V-${name}`,
    ClOrdID: name,
    ExecID: execId,
    ExecType: execType,
    OrdStatus: o.status,
    Instrument: { Symbol: o.symbol },
    Side: o.side,
    OrderQtyData: { OrderQty: o.lots },
    LeavesQty: working(o) ? o.lots - o.cum : 0,
    CumQty: o.cum,
    AvgPx: o.cum ? o.notional / o.cum * TICK : 0,
    TransactTime: new Date(),
    ...more
  }
}

class Exchange extends AsciiSession {
  onApplicationMsg (msgType, view) {
    const name = view.getString('ClOrdID')
    if (msgType === 'D') this.order(view, name)
    else if (msgType === 'H') this.status(view, name)
    else if (msgType === 'F') this.cancel(view, name)
    else if (msgType === 'AF') for (const [n, o] of orders) if (working(o)) this.send('8', report(n, 'I', '0'))
  }

  order (view, name) {
    const known = orders.has(name)
    const lots = Number(view.getString('OrderQty'))
    const ticks = Math.round(Number(view.getString('Price')) / TICK)
    write({ act: 'order', name, symbol: view.getString('Symbol'), side: view.getString('Side'), lots, ticks })
    if (known) return this.send('8', report(name, '8', `D${name}`, { OrdRejReason: 6 }))
    this.send('8', report(name, '0', `N${name}`))
    if (view.getString('TimeInForce') !== '3') return
    const parts = name.endsWith('x') || lots === 1 ? [1] : [1, lots - 1]
    parts.forEach((part, k) => {
      write({ act: 'fill', name, lots: part, ticks: ticks - k })
      this.send('8', report(name, 'F', `E${fills}`, { LastQty: part, LastPx: (ticks - k) * TICK }))
    })
    if (working(orders.get(name))) this.end(name, {})
  }

  end (name, more) {
    write({ act: 'end', name, status: '4' })
    this.send('8', report(name, '4', `X${name}`, more))
  }

  cancel (view, id) {
    const name = view.getString('OrigClOrdID')
    const o = orders.get(name)
    if (o && working(o)) return this.end(name, { ClOrdID: id, OrigClOrdID: name })
    this.send('9', {
      OrderID: 'NONE', ClOrdID: id, OrigClOrdID: name, OrdStatus: o ? o.status : '8', CxlRejResponseTo: '1', CxlRejReason: o ? 0 : 1
    })
  }

  status (view, name) {
    if (orders.has(name)) return this.send('8', report(name, 'I', '0'))
    this.send('8', {
      OrderID: 'NONE', ClOrdID: name, ExecID: '0', ExecType: 'I', OrdStatus: '8', OrdRejReason: 5,
      Instrument: { Symbol: view.getString('Symbol') }, Side: view.getString('Side'), LeavesQty: 0, CumQty: 0, AvgPx: 0
    })
  }

  onDecoded () {}
  onEncoded () {}
  onLogon () { return true }
  onReady () {}
  onStopped () {}
}

const settings = {
  application: {
    type: 'acceptor', name: 'venue', protocol: 'ascii', dictionary: path.join(path.dirname(require.resolve('jspurefix/package.json')), 'data', 'FIX44.xml'),
    tcp: { host: '127.0.0.1', port }
  },
  store: { type: 'file', directory: path.join(folder, 'session') },
  EncryptMethod: 0, ResetSeqNumFlag: false, HeartBtInt: 10,
  SenderCompId: 'VENUE',
  TargetCompID: 'HEDGEROW',
  BeginString: 'FIX.4.4'
}

class Launcher extends SessionLauncher {
  constructor () {
    super(null, settings, new JsFixWinstonLogFactory(WinstonLogger.consoleOptions(process.env.FIX_LOG || 'error')))
  }

  makeFactory () { return { makeSession: config => new Exchange(config) } }
}

new Launcher().exec()
