/** Takes an endpoint to another state; the answer updates the store by its id, a refusal says by its code what to do. */
import { graphql } from "./graphql-tag";

export const endpointMoveMutation = graphql`
  mutation endpointMoveMutation($input: EndpointMoveInput!) {
    endpointMove(input: $input) {
      endpoint {
        ...endpointCard_endpoint
      }
      userErrors {
        code
        field
        message
      }
    }
  }
`;
