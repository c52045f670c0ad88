/** One endpoint, read again by its id alone: `node(id:)` serves the refetch. */
import { graphql } from "./graphql-tag";

export const endpointCardFragment = graphql`
  fragment endpointCard_endpoint on Endpoint @refetchable(queryName: "endpointCardRefetchQuery") {
    name
    state
    region
    slots
    version
    accelerator {
      code
    }
    slaTier {
      code
      responseTimeMs
    }
    offerings {
      id
      model
      state
    }
  }
`;
