export { command } from './doctor.js';
