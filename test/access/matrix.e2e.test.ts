/** Nobody is shown or changes what is another's: every operation × everybody × own, foreign, missing, null and absent ids. */
import { describeMatrix } from "./describe-matrix";

describeMatrix({ checks: "the application's and PostgreSQL's" });
