/** Makes an API key and puts it in front of the list on screen, without reading the list again. */
import { graphql } from "./graphql-tag";

export const apiKeyListFragment = graphql`
  fragment apiKeyCreate_keys on Query {
    apiKeys(first: 50) @connection(key: "apiKeyCreate_apiKeys") {
      edges {
        node {
          id
          name
          prefix
          revokedAt
        }
      }
    }
  }
`;

export const apiKeyCreateMutation = graphql`
  mutation apiKeyCreateMutation($connections: [ID!]!, $input: ApiKeyCreateInput!) {
    apiKeyCreate(input: $input) {
      apiKey @prependNode(connections: $connections, edgeTypeName: "ApiKeyEdge") {
        id
        name
        prefix
        revokedAt
      }
      secret
      userErrors {
        code
        field
        message
      }
    }
  }
`;
