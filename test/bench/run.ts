import { argv } from 'node:process';
import { benchTalk } from './talk.ts';
import { benchThroughput } from './throughput.ts';

/** `npm run bench`: what the hub takes in and sends. `npm run bench -- talk`: what a talk with many readers takes. */
const [first, ...rest] = argv.slice(2);
if (first === 'talk') await benchTalk(rest);
else await benchThroughput(argv.slice(2));
