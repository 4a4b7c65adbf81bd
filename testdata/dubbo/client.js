// Drives a server with dubbo2.js, and prints a line for every call: method, how it was
// answered, class and text of an exception.
const { DirectlyDubbo } = require('apache-dubbo-js')
const java = require('js-to-java')

const [address, scenario] = process.argv.slice(2)
const dubbo = DirectlyDubbo.from({ dubboAddress: address, dubboVersion: '2.0.2', dubboInvokeTimeout: 10 })
const service = (name) => {
	const methods = {}
	for (const m of ['find', 'nothing', 'fail', 'failOld', 'large', 'slow']) methods[m] = (s) => [java.String(s)]
	return dubbo.proxyService({ dubboInterface: name, version: '1.0.0', methods })
}
const shop = service('demo.shop.Shop')
const missing = service('demo.shop.Missing')

async function call(s, method, arg) {
	const { res, err } = await s[method](arg)
	if (err) {
		const text = /Not found exported.*/.exec(err.message)
		console.log(text ? `${method} SERVICE_NOT_FOUND ${text[0]}` : `${method} exception ${String(err.message).replace(': ', ' ').split('\n')[0]}`)
		return
	}
	console.log(`${method} OK`)
}

async function main() {
	if (scenario === 'calls') {
		await call(shop, 'find', 'lamp')
		await call(shop, 'find', 'Lämpchen 灯 😀')
		await call(shop, 'nothing', 'x')
		await call(shop, 'fail', 'three are left')
		await call(shop, 'failOld', 'no such thing')
		await call(missing, 'find', 'lamp')
		await call(shop, 'large', 'x')
		await call(shop, 'find', 'y'.repeat(5000))
	} else {
		const all = []
		for (let i = 0; i < 10; i++) all.push(call(shop, ['slow', 'find', 'fail'][i % 3], `call ${i}`))
		await Promise.all(all)
	}
	process.exit(0)
}
setTimeout(main, 300)
